// The part of AscendCL about streams, events and copies.
#include <string.h>

#include <chrono>

#include "state.h"

using namespace machine;

namespace {

double now()
{
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// side is one end of a copy: memory of the current device, or of the host.
int side(const char* call, bool onDevice, int device, uint64_t at, uint64_t bytes, uint8_t*& p)
{
    if (!onDevice) {
        if (deviceOfAddress(at) >= 0) {
            return blame(kInvalid, "%s: an address of a device where one of the host belongs", call);
        }
        p = reinterpret_cast<uint8_t*>(at);
        return p ? kOk : blame(kInvalid, "%s: a null pointer", call);
    }
    p = reach(device, at, bytes);
    return p ? kOk : blame(kInvalid, "%s: %llu bytes are not inside one allocation of device %d", call,
        static_cast<unsigned long long>(bytes), device);
}

struct Copy {
    uint8_t *to, *from;
};

int prepare(const char* call, uint64_t dst, size_t max, uint64_t src, size_t count, int kind, Copy& c)
{
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    if (count > max || kind < 0 || kind > 3) {
        return blame(kInvalid, "%s: more bytes than there is room for, or no such kind", call);
    }
    if (int e = side(call, kind == 1 || kind == 3, device, dst, max, c.to)) {
        return e;
    }
    return side(call, kind == 2 || kind == 3, device, src, count, c.from);
}

} // namespace

extern "C" {

int aclrtCreateStream(uint64_t* stream)
{
    if (int e = enter("aclrtCreateStream")) return e;
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    *stream = keep(std::make_shared<Stream>(device, context));
    return kOk;
}

static int destroy(const char* call, uint64_t stream, bool force)
{
    int fault = enter(call);
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    if (force) {
        s->abort();
    }
    int e = drop(stream, "stream");
    return fault ? fault : e;
}

int aclrtDestroyStream(uint64_t stream) { return destroy("aclrtDestroyStream", stream, false); }

int aclrtDestroyStreamForce(uint64_t stream) { return destroy("aclrtDestroyStreamForce", stream, true); }

int aclrtStreamAbort(uint64_t stream)
{
    int fault = enter("aclrtStreamAbort");
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    s->abort();
    s->wait(-1);
    return fault;
}

int aclrtSynchronizeStream(uint64_t stream)
{
    if (int e = enter("aclrtSynchronizeStream")) return e;
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    return s->wait(-1);
}

int aclrtSynchronizeStreamWithTimeout(uint64_t stream, int32_t milliseconds)
{
    if (int e = enter("aclrtSynchronizeStreamWithTimeout")) return e;
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    return s->wait(milliseconds);
}

int aclrtCreateEvent(uint64_t* event)
{
    if (int e = enter("aclrtCreateEvent")) return e;
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    *event = keep(std::make_shared<Event>(device, context));
    return kOk;
}

int aclrtDestroyEvent(uint64_t event)
{
    int fault = enter("aclrtDestroyEvent");
    int e = drop(event, "event");
    return fault ? fault : e;
}

int aclrtRecordEvent(uint64_t event, uint64_t stream)
{
    if (int e = enter("aclrtRecordEvent")) return e;
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    auto v = get<Event>(event, "event");
    if (!v) {
        return kInvalid;
    }
    s->put([v](Stream&) {
        std::lock_guard<std::mutex> hold(v->lock);
        v->at = now();
        return 0;
    });
    return kOk;
}

int aclrtEventElapsedTime(float* ms, uint64_t from, uint64_t to)
{
    if (int e = enter("aclrtEventElapsedTime")) return e;
    auto a = get<Event>(from, "event"), b = get<Event>(to, "event");
    if (!a || !b) {
        return kInvalid;
    }
    std::scoped_lock hold(a->lock, b->lock);
    if (a->at < 0 || b->at < 0) {
        return blame(kInvalid, "aclrtEventElapsedTime of events that have not happened");
    }
    *ms = static_cast<float>((b->at - a->at) * 1000);
    return kOk;
}

int aclrtMemcpy(uint64_t dst, size_t max, uint64_t src, size_t count, int kind)
{
    if (int e = enter("aclrtMemcpy")) return e;
    Copy c;
    if (int e = prepare("aclrtMemcpy", dst, max, src, count, kind, c)) {
        return e;
    }
    memmove(c.to, c.from, count);
    return kOk;
}

int aclrtMemcpyAsync(uint64_t dst, size_t max, uint64_t src, size_t count, int kind, uint64_t stream)
{
    if (int e = enter("aclrtMemcpyAsync")) return e;
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    Copy c;
    if (int e = prepare("aclrtMemcpyAsync", dst, max, src, count, kind, c)) {
        return e;
    }
    s->put([c, count](Stream&) {
        memmove(c.to, c.from, count);
        return 0;
    });
    return kOk;
}

int aclrtMemsetAsync(uint64_t at, size_t max, int32_t value, size_t count, uint64_t stream)
{
    if (int e = enter("aclrtMemsetAsync")) return e;
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    uint8_t* p;
    if (int e = side("aclrtMemsetAsync", true, s->device, at, count > max ? ~0ull : max, p)) {
        return e;
    }
    s->put([p, value, count](Stream&) {
        memset(p, value, count);
        return 0;
    });
    return kOk;
}

} // extern "C"
