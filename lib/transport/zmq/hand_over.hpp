// What libzmq carries from thread to thread, said to ThreadSanitizer, which does not see into it
// and would take each message for a race.  Nothing in other builds.
#pragma once

#if defined(__SANITIZE_THREAD__)
#define SPANWIRE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SPANWIRE_TSAN 1
#endif
#endif

#if defined(SPANWIRE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace spanwire::transport {

// Whatever came before a message was sent came before it is received: all sockets are one here, as
// those of the system are to ThreadSanitizer.
inline char zmq_wire_object = 0;
inline constexpr char* kZmqWire = &zmq_wire_object;

// What this thread did so far is done before whoever takes `object` over goes on.
inline void zmq_handed_over([[maybe_unused]] void* object) noexcept {
#if defined(SPANWIRE_TSAN)
  __tsan_release(object);
#endif
}

inline void zmq_taken_over([[maybe_unused]] void* object) noexcept {
#if defined(SPANWIRE_TSAN)
  __tsan_acquire(object);
#endif
}

}  // namespace spanwire::transport
