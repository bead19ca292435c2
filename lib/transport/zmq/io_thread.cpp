#include "lib/transport/zmq/io_thread.hpp"

#include <dirent.h>
#include <sched.h>
#include <zmq.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string_view>

namespace spanwire::transport {
namespace {

constexpr const char kTasks[] = "/proc/self/task";
constexpr int kNumbersMax = 1000;  // what leaves the whole name in 15 characters

int next_number() noexcept {
  static std::atomic<int> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) % kNumbersMax + 1;
}

bool is_named(const char* task, std::string_view name) noexcept {
  char path[64];
  std::snprintf(path, sizeof path, "%s/%.16s/comm", kTasks, task);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path, "re"), &std::fclose);
  char line[32];
  return file != nullptr && std::fgets(line, sizeof line, file.get()) != nullptr &&
         std::string_view(line, std::strcspn(line, "\n")) == name;
}

// Zero is the calling thread.
bool has_one_core(pid_t thread, cpu_set_t& cores) noexcept {
  CPU_ZERO(&cores);
  return sched_getaffinity(thread, sizeof cores, &cores) == 0 && CPU_COUNT(&cores) == 1;
}

bool shares_core_with(pid_t thread) noexcept {
  cpu_set_t ours;
  cpu_set_t its;
  return has_one_core(0, ours) && has_one_core(thread, its) && CPU_EQUAL(&ours, &its);
}

bool schedule(pid_t thread, int policy) noexcept {
  const sched_param plain{};
  return sched_setscheduler(thread, policy, &plain) == 0;
}

}  // namespace

ZmqIoThread::ZmqIoThread(void* context) noexcept : number_(next_number()) {
  zmq_ctx_set(context, ZMQ_THREAD_NAME_PREFIX, number_);
}

// It gives itself its name when it begins: where it is not found, it may be found later.
pid_t ZmqIoThread::find() noexcept {
  if (const pid_t known = id_.load(std::memory_order_relaxed)) return known;
  char name[16];
  std::snprintf(name, sizeof name, "%d/ZMQbg/IO/0", number_);
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir(kTasks), &closedir);
  if (tasks == nullptr) return 0;
  while (const dirent* task = readdir(tasks.get())) {
    pid_t id = 0;
    std::from_chars(task->d_name, task->d_name + std::strlen(task->d_name), id);
    if (id == 0 || !is_named(task->d_name, name)) continue;
    id_.store(id, std::memory_order_relaxed);
    return id;
  }
  return 0;
}

bool ZmqIoThread::become_batch_work() noexcept {
  if (batch_.load(std::memory_order_relaxed)) return true;
  const pid_t thread = find();
  if (thread == 0 || !shares_core_with(thread)) return false;
  // Somebody may have given it a policy of his own.
  if (sched_getscheduler(thread) != SCHED_OTHER || !schedule(thread, SCHED_BATCH)) return false;
  batch_.store(true, std::memory_order_relaxed);
  return true;
}

void ZmqIoThread::become_usual() noexcept {
  if (batch_.load(std::memory_order_relaxed) && batch_.exchange(false, std::memory_order_relaxed)) {
    schedule(id_.load(std::memory_order_relaxed), SCHED_OTHER);
  }
}

}  // namespace spanwire::transport
