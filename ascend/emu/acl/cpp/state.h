// The emulated machine that libascendcl.so and libhccl.so share: devices with memory, contexts,
// streams, and a record of what was taken, given back and misused.
#pragma once

#include <stdint.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace machine {

// Codes that the emulation returns, with the numbers of CANN.
enum Code {
    kOk = 0,
    kInvalid = 107000,
    kNoDevice = 107001,
    kNoContext = 107002,
    kWrongContext = 107003,
    kUnknownContext = 107017,
    kUninitialized = 100001,
    kInitializedTwice = 100002,
    kNoMemory = 207001,
    kKernelFailed = 507015,
    kStreamTimeout = 507046,
    kInternal = 507000,
    kAborted = 107020,
};

// Memory is an allocation of a device.
struct Memory {
    uint64_t at, bytes;
};

struct Device {
    int index = 0;
    int file = -1;
    uint8_t* base = nullptr;
    uint64_t bytes = 0, used = 0;
    int users = 0; // aclrtSetDevice without aclrtResetDevice
    std::map<uint64_t, Memory> memory; // by address
};

// Object is what a handle names.
struct Object {
    const char* kind;
    int device;
    uint64_t context; // handle that it was made in
    virtual ~Object() = default;
    Object(const char* k, int d, uint64_t c) : kind(k), device(d), context(c) {}
};

struct Context : Object {
    Context(int d) : Object("context", d, 0) {}
};

// Stream runs its tasks one after another on a thread of its own. A task returns a code; after the
// first that is not 0 the others are dropped.
struct Stream : Object {
    std::mutex lock;
    std::condition_variable changed;
    std::deque<std::function<int(Stream&)>> tasks;
    bool busy = false, ending = false, aborted = false;
    int failed = 0;
    std::string said;
    std::thread worker;

    Stream(int d, uint64_t c);
    ~Stream() override;
    void put(std::function<int(Stream&)> task);
    int wait(int64_t milliseconds); // negative: without end
    void abort();
};

struct Event : Object {
    std::mutex lock;
    double at = -1; // seconds; negative until it has happened
    Event(int d, uint64_t c) : Object("event", d, c) {}
};

// enter counts a call and gives the code of a fault that is to happen in it, else 0.
int enter(const char* function);

// blame records a misuse and what aclGetRecentErrMsg says on this thread; it gives the code back.
int blame(int code, const char* format, ...) __attribute__((format(printf, 2, 3)));
void say(const std::string& text);

bool initialized();
int current(int& device, uint64_t& context); // of the thread
uint64_t keep(std::shared_ptr<Object> o);    // a new handle
std::shared_ptr<Object> lookup(uint64_t handle, const char* kind);
int drop(uint64_t handle, const char* kind);

template <typename T> std::shared_ptr<T> get(uint64_t handle, const char* kind)
{
    return std::static_pointer_cast<T>(lookup(handle, kind));
}

// streamOf is a stream of the thread's context.
int streamOf(uint64_t handle, std::shared_ptr<Stream>& s);

// reach gives the bytes behind an address of a device if one allocation holds them all.
uint8_t* reach(int device, uint64_t at, uint64_t bytes);
// around is the allocation that holds an address.
bool around(int device, uint64_t at, Memory& m);
Device* deviceOf(int index);
int deviceOfAddress(uint64_t at); // -1: memory of the host

extern int64_t connectTimeout, execTimeout; // milliseconds
extern std::string socName;

} // namespace machine
