// Devices, handles, faults and the record of misuse.
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>

#include "state.h"

namespace machine {

int64_t connectTimeout = 120000, execTimeout = 1836000;
std::string socName = "Ascend310P3";

namespace {

struct Fault {
    std::string function; // "*": any
    uint64_t nth;
    int code;
};

std::mutex all; // guards what follows
std::vector<std::unique_ptr<Device>> devices;
std::map<uint64_t, std::shared_ptr<Object>> objects;
std::map<uint64_t, std::string> gone; // kind of handles that were given back
std::map<uint64_t, uint64_t> hostMemory;
uint64_t nextHandle = 0x7000;
std::vector<Fault> faults;
std::map<std::string, uint64_t> counts;
std::vector<std::string> calls;
std::vector<std::string> misuse;
bool begun = false, configured = false;
int64_t delay = 0; // microseconds before each task
uint32_t deviceCount = 1;
uint64_t deviceBytes = 4ull << 30;

thread_local uint64_t currentContext = 0;
thread_local int currentDevice = -1;
thread_local uint64_t currentTime = 0; // what currentContext and currentDevice are of
uint64_t timesBegun = 0;
thread_local std::string recent;

// Addresses of devices are none that the host has, so that neither is taken for the other.
constexpr uint64_t kFirst = 1ull << 52, kStep = 1ull << 40;

// onThread makes a context the thread's.
void onThread(int device, uint64_t context)
{
    currentDevice = device;
    currentContext = context;
    currentTime = timesBegun;
}

void fromEnvironment()
{
    if (const char* v = getenv("MOGE_EMULATED_DEVICES")) deviceCount = strtoul(v, nullptr, 10);
    if (const char* v = getenv("MOGE_EMULATED_SOC")) socName = v;
    if (const char* v = getenv("MOGE_EMULATED_MEMORY")) deviceBytes = strtoull(v, nullptr, 10);
    if (const char* v = getenv("HCCL_CONNECT_TIMEOUT")) connectTimeout = 1000 * atoll(v);
    if (const char* v = getenv("HCCL_EXEC_TIMEOUT")) execTimeout = 1000 * atoll(v);
    char name[128];
    unsigned long long nth;
    int code;
    const char* v = getenv("MOGE_EMULATED_FAULT"); // function:n:code
    if (v && sscanf(v, "%127[^:]:%llu:%d", name, &nth, &code) == 3) {
        faults.push_back({name, nth, code});
    }
}

bool map(Device& d)
{
    d.file = memfd_create("device", MFD_CLOEXEC);
    if (d.file < 0 || ftruncate(d.file, d.bytes) != 0) {
        return false;
    }
    void* p = mmap(nullptr, d.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, d.file, 0);
    d.base = p == MAP_FAILED ? nullptr : static_cast<uint8_t*>(p);
    return d.base != nullptr;
}

void unmap(Device& d)
{
    if (d.base) munmap(d.base, d.bytes);
    if (d.file >= 0) close(d.file);
}

} // namespace

int enter(const char* function)
{
    std::lock_guard<std::mutex> hold(all);
    recent.clear();
    calls.push_back(function);
    uint64_t own = ++counts[function];
    for (size_t i = 0; i < faults.size(); i++) {
        const Fault& f = faults[i];
        if ((f.function == "*" && f.nth == calls.size()) || (f.function == function && f.nth == own)) {
            recent = std::string("fault in ") + function;
            return f.code;
        }
    }
    return kOk;
}

void say(const std::string& text) { recent = text; }

int blame(int code, const char* format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    recent = text;
    std::lock_guard<std::mutex> hold(all);
    misuse.push_back(text);
    return code;
}

bool initialized() { return begun; }

int current(int& device, uint64_t& context)
{
    if (!begun) {
        return blame(kUninitialized, "a call before aclInit or after aclFinalize");
    }
    if (currentDevice < 0 || currentTime != timesBegun) {
        return blame(kNoContext, "a call on a thread without a device");
    }
    if (currentContext != 0 && !lookup(currentContext, "context")) {
        return kUnknownContext;
    }
    device = currentDevice;
    context = currentContext;
    return kOk;
}

uint64_t keep(std::shared_ptr<Object> o)
{
    std::lock_guard<std::mutex> hold(all);
    nextHandle += 16;
    objects[nextHandle] = o;
    return nextHandle;
}

std::shared_ptr<Object> lookup(uint64_t handle, const char* kind)
{
    std::string was;
    {
        std::lock_guard<std::mutex> hold(all);
        auto it = objects.find(handle);
        if (it != objects.end() && strcmp(it->second->kind, kind) == 0) {
            return it->second;
        }
        was = it != objects.end() ? it->second->kind : gone.count(handle) ? "a dead " + gone[handle] : "nothing";
    }
    blame(kInvalid, "a handle that should name a %s names %s", kind, was.c_str());
    return nullptr;
}

int drop(uint64_t handle, const char* kind)
{
    std::shared_ptr<Object> o = lookup(handle, kind);
    if (!o) {
        return kInvalid;
    }
    std::lock_guard<std::mutex> hold(all);
    objects.erase(handle);
    gone[handle] = kind;
    return kOk;
}

int streamOf(uint64_t handle, std::shared_ptr<Stream>& s)
{
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    s = get<Stream>(handle, "stream");
    if (!s) {
        return kInvalid;
    }
    if (s->context != context) {
        return blame(kWrongContext, "a stream of another context");
    }
    return kOk;
}

Device* deviceOf(int index)
{
    std::lock_guard<std::mutex> hold(all);
    return index >= 0 && index < static_cast<int>(devices.size()) ? devices[index].get() : nullptr;
}

int deviceOfAddress(uint64_t at)
{
    std::lock_guard<std::mutex> hold(all);
    uint64_t d = (at - kFirst) / kStep;
    return at >= kFirst && d < devices.size() ? static_cast<int>(d) : -1;
}

bool around(int device, uint64_t at, Memory& m)
{
    std::lock_guard<std::mutex> hold(all);
    if (device < 0 || device >= static_cast<int>(devices.size())) {
        return false;
    }
    auto& memory = devices[device]->memory;
    auto it = memory.upper_bound(at);
    if (it == memory.begin()) {
        return false;
    }
    m = (--it)->second;
    return at < m.at + m.bytes;
}

uint8_t* reach(int device, uint64_t at, uint64_t bytes)
{
    Memory m;
    if (!around(device, at, m) || bytes > m.at + m.bytes - at) {
        return nullptr;
    }
    return deviceOf(device)->base + (at - kFirst - device * kStep);
}

Stream::Stream(int d, uint64_t c) : Object("stream", d, c)
{
    sigset_t every, before; // signals of the process are for its own threads
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &before);
    worker = std::thread([this] {
        std::unique_lock<std::mutex> hold(lock);
        for (;;) {
            changed.wait(hold, [this] { return ending || !tasks.empty(); });
            if (tasks.empty()) {
                return;
            }
            auto task = std::move(tasks.front());
            tasks.pop_front();
            if (failed != 0) {
                changed.notify_all();
                continue;
            }
            busy = true;
            hold.unlock();
            if (delay > 0) {
                std::this_thread::sleep_for(std::chrono::microseconds(delay));
            }
            int code = task(*this);
            task = nullptr;
            hold.lock();
            busy = false;
            if (failed == 0) {
                failed = code;
            }
            changed.notify_all();
        }
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Stream::~Stream()
{
    {
        std::lock_guard<std::mutex> hold(lock);
        ending = true;
    }
    changed.notify_all();
    worker.join();
}

void Stream::put(std::function<int(Stream&)> task)
{
    {
        std::lock_guard<std::mutex> hold(lock);
        tasks.push_back(std::move(task));
    }
    changed.notify_all();
}

int Stream::wait(int64_t milliseconds)
{
    std::unique_lock<std::mutex> hold(lock);
    auto idle = [this] { return tasks.empty() && !busy; };
    if (milliseconds < 0) {
        changed.wait(hold, idle);
    } else if (!changed.wait_for(hold, std::chrono::milliseconds(milliseconds), idle)) {
        return kStreamTimeout;
    }
    if (failed != 0) {
        say(said);
    }
    return failed;
}

void Stream::abort()
{
    {
        std::lock_guard<std::mutex> hold(lock);
        aborted = true;
        tasks.clear();
        if (failed == 0) {
            failed = kAborted;
        }
    }
    changed.notify_all();
}

} // namespace machine

using namespace machine;

// What follows is the part of AscendCL about the process, devices, contexts and memory.
extern "C" {

int aclInit(const char*)
{
    if (int e = enter("aclInit")) return e;
    std::lock_guard<std::mutex> hold(all);
    if (begun) {
        return kInitializedTwice;
    }
    if (!configured) {
        fromEnvironment();
        configured = true;
    }
    for (uint32_t i = 0; i < deviceCount; i++) {
        std::unique_ptr<Device> d(new Device());
        d->index = i;
        d->bytes = deviceBytes;
        if (!map(*d)) {
            return kInternal;
        }
        devices.push_back(std::move(d));
    }
    begun = true;
    timesBegun++;
    return kOk;
}

// leaks lists what is outstanding; the lock is held.
static void leaks()
{
    for (auto& o : objects) {
        misuse.push_back(std::string("leak: ") + o.second->kind + " on device " +
            std::to_string(o.second->device));
    }
    for (auto& m : hostMemory) {
        misuse.push_back("leak: " + std::to_string(m.second) + " bytes of the host");
    }
    for (auto& d : devices) {
        std::string where = " on device " + std::to_string(d->index);
        if (d->users != 0) {
            misuse.push_back("leak: aclrtSetDevice" + where);
        }
        for (auto& m : d->memory) {
            misuse.push_back("leak: " + std::to_string(m.second.bytes) + " bytes" + where);
        }
    }
}

int aclFinalize()
{
    int fault = enter("aclFinalize");
    std::map<uint64_t, std::shared_ptr<Object>> rest;
    {
        std::lock_guard<std::mutex> hold(all);
        if (!begun) {
            return kUninitialized;
        }
        leaks();
        for (auto& m : hostMemory) {
            free(reinterpret_cast<void*>(m.first));
        }
        hostMemory.clear();
        rest.swap(objects);
        begun = false;
    }
    for (auto& o : rest) {
        if (strcmp(o.second->kind, "stream") == 0) {
            static_cast<Stream*>(o.second.get())->abort();
        }
    }
    rest.clear();
    std::lock_guard<std::mutex> hold(all);
    for (auto& d : devices) {
        unmap(*d);
    }
    devices.clear();
    return fault;
}

const char* aclGetRecentErrMsg()
{
    return recent.empty() ? nullptr : recent.c_str();
}

const char* aclrtGetSocName()
{
    return enter("aclrtGetSocName") ? nullptr : socName.c_str();
}

int aclrtGetDeviceCount(uint32_t* count)
{
    if (int e = enter("aclrtGetDeviceCount")) return e;
    *count = deviceCount;
    return begun ? kOk : kUninitialized;
}

int aclrtSetDevice(int32_t device)
{
    if (int e = enter("aclrtSetDevice")) return e;
    Device* d = deviceOf(device);
    if (!d) {
        return kNoDevice;
    }
    std::lock_guard<std::mutex> hold(all);
    d->users++;
    onThread(device, 0);
    return kOk;
}

int aclrtResetDevice(int32_t device)
{
    int fault = enter("aclrtResetDevice");
    Device* d = deviceOf(device);
    if (!d) {
        return kNoDevice;
    }
    if (d->users == 0) {
        return blame(kNoDevice, "aclrtResetDevice of a device that was not set");
    }
    std::lock_guard<std::mutex> hold(all);
    d->users--;
    onThread(-1, 0);
    return fault;
}

int aclrtCreateContext(uint64_t* context, int32_t device)
{
    if (int e = enter("aclrtCreateContext")) return e;
    if (!deviceOf(device)) {
        return kNoDevice;
    }
    *context = keep(std::make_shared<Context>(device));
    onThread(device, *context);
    return kOk;
}

int aclrtDestroyContext(uint64_t context)
{
    int fault = enter("aclrtDestroyContext");
    int e = drop(context, "context");
    if (currentContext == context) {
        currentContext = 0;
    }
    return fault ? fault : e;
}

int aclrtSetCurrentContext(uint64_t context)
{
    if (int e = enter("aclrtSetCurrentContext")) return e;
    auto c = lookup(context, "context");
    if (!c) {
        return kUnknownContext;
    }
    onThread(c->device, context);
    return kOk;
}

int aclrtGetMemInfo(int attribute, size_t* free, size_t* total)
{
    if (int e = enter("aclrtGetMemInfo")) return e;
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    Device* d = deviceOf(device);
    bool hbm = socName.compare(0, 9, "Ascend310") != 0;
    *total = hbm == (attribute == 1) ? d->bytes : 0;
    *free = *total ? d->bytes - d->used : 0;
    return kOk;
}

int aclrtMalloc(uint64_t* at, size_t bytes, int)
{
    if (int e = enter("aclrtMalloc")) return e;
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    Device* d = deviceOf(device);
    std::lock_guard<std::mutex> hold(all);
    uint64_t base = kFirst + device * kStep, place = base + 64, need = (bytes + 31) / 32 * 32 + 32;
    for (auto& m : d->memory) { // first gap that is large enough
        if (m.second.at >= place && m.second.at - place >= need + 4096) {
            break;
        }
        place = (m.second.at + m.second.bytes + 4096 + 63) / 64 * 64;
    }
    if (bytes == 0 || need > d->bytes || place - base > d->bytes - need) {
        recent = "no " + std::to_string(bytes) + " bytes are free";
        return bytes == 0 ? kInvalid : kNoMemory;
    }
    d->memory[place] = Memory{place, bytes};
    d->used += bytes;
    if (bytes <= 1 << 20) { // of any content
        memset(d->base + (place - base), 0xa5, bytes);
    }
    *at = place;
    return kOk;
}

int aclrtFree(uint64_t at)
{
    int fault = enter("aclrtFree");
    int device = deviceOfAddress(at);
    bool known = false;
    if (device >= 0) {
        Device* d = deviceOf(device);
        std::lock_guard<std::mutex> hold(all);
        auto it = d->memory.find(at);
        if (it != d->memory.end()) {
            d->used -= it->second.bytes;
            d->memory.erase(it);
            known = true;
        }
    }
    if (!known) {
        return blame(kInvalid, "aclrtFree of what was not allocated, or is free");
    }
    return fault;
}

int aclrtMallocHost(uint64_t* at, size_t bytes)
{
    if (int e = enter("aclrtMallocHost")) return e;
    void* p = malloc(bytes);
    if (!p) {
        return kNoMemory;
    }
    std::lock_guard<std::mutex> hold(all);
    *at = reinterpret_cast<uint64_t>(p);
    hostMemory[*at] = bytes;
    return kOk;
}

int aclrtFreeHost(uint64_t at)
{
    int fault = enter("aclrtFreeHost");
    {
        std::lock_guard<std::mutex> hold(all);
        if (hostMemory.erase(at)) {
            free(reinterpret_cast<void*>(at));
            return fault;
        }
    }
    return blame(kInvalid, "aclrtFreeHost of what was not allocated, or is free");
}

// What tests steer the machine with.

void mogeEmulatedConfigure(uint32_t count, const char* soc, uint64_t bytes, int64_t connect, int64_t exec,
    int64_t microseconds)
{
    std::lock_guard<std::mutex> hold(all);
    configured = true;
    deviceCount = count;
    socName = soc;
    deviceBytes = bytes;
    connectTimeout = connect;
    execTimeout = exec;
    delay = microseconds;
    faults.clear();
    counts.clear();
    calls.clear();
    misuse.clear();
    gone.clear();
}

void mogeEmulatedFault(const char* function, uint64_t nth, int code)
{
    std::lock_guard<std::mutex> hold(all);
    faults.push_back({function, nth, code});
}

uint64_t mogeEmulatedCalls()
{
    std::lock_guard<std::mutex> hold(all);
    return calls.size();
}

const char* mogeEmulatedCall(uint64_t n)
{
    static thread_local std::string name;
    std::lock_guard<std::mutex> hold(all);
    name = n < calls.size() ? calls[n] : "";
    return name.c_str();
}

const char* mogeEmulatedReport()
{
    static thread_local std::string text;
    std::lock_guard<std::mutex> hold(all);
    text.clear();
    for (auto& m : misuse) {
        text += m + "\n";
    }
    return text.c_str();
}

} // extern "C"
