// SPANWIRE_TEST_SANITIZED is defined where a sanitizer is at work: it allocates, and opens
// descriptors, on its own account, which a few tests cannot have.
#pragma once

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SPANWIRE_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SPANWIRE_TEST_SANITIZED 1
#endif
#endif
