// HCCL between the emulated devices of one process: sums in ascending order of ranks in f32, halves
// rounded once at the end, i32 and i8 wrap.
#include <string.h>

#include <chrono>
#include <fstream>
#include <sstream>

#include "state.h"

using namespace machine;

namespace {

enum Result {
    kParameter = 1,
    kFailed = 4,
    kNotSupported = 5,
    kTimeout = 9,
    kOpenFile = 10,
};

enum Op { kGather, kScatterSum, kSum };

struct Ask {
    Op op;
    uint64_t send, recv, count;
    int type, device;
    bool fits(const Ask& a) const { return op == a.op && count == a.count && type == a.type; }
};

// Meeting is one collective: members come, and the last does the work.
struct Meeting {
    std::map<uint32_t, Ask> here;
    uint32_t left = 0;
    int code = 0;
    bool done = false;
};

// Group is the members of a communicator.
struct Group {
    uint32_t size;
    std::mutex lock;
    std::condition_variable changed;
    std::map<uint64_t, std::shared_ptr<Meeting>> meetings; // by number
    explicit Group(uint32_t n) : size(n) {}
};

struct Communicator : Object {
    std::shared_ptr<Group> group;
    uint32_t rank;
    std::mutex lock;
    uint64_t next = 0;
    Communicator(int d, std::shared_ptr<Group> g, uint32_t r)
        : Object("communicator", d, 0), group(std::move(g)), rank(r)
    {
    }
};

// Pending is a communicator that waits for its members.
struct Pending {
    std::shared_ptr<Group> group;
    std::map<uint32_t, bool> here;
};

std::mutex gate;
std::condition_variable opened;
std::map<std::string, std::shared_ptr<Pending>> pending;
uint64_t nextRoot = 1;

float widen(uint16_t h)
{
    uint32_t sign = (h & 0x8000u) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    float f;
    if (exponent == 0) {
        f = fraction * (1.0f / (1 << 24));
        return sign ? -f : f;
    }
    uint32_t bits = exponent == 31 ? sign | 0x7f800000u | fraction << 13
                                   : sign | (exponent + 112) << 23 | fraction << 13;
    memcpy(&f, &bits, 4);
    return f;
}

uint16_t narrow(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint16_t sign = bits >> 16 & 0x8000;
    bits &= 0x7fffffff;
    if (bits > 0x7f800000) return sign | 0x7e00;
    if (bits >= 0x477ff000) return sign | 0x7c00;
    if (bits < 0x38800000) { // the addition rounds a subnormal
        float v;
        memcpy(&v, &bits, 4);
        v += 0.5f;
        memcpy(&bits, &v, 4);
        return sign | static_cast<uint16_t>(bits - 0x3f000000);
    }
    return sign | static_cast<uint16_t>((bits + 0xc8000fff + (bits >> 13 & 1)) >> 13);
}

float widenB(uint16_t h)
{
    uint32_t bits = static_cast<uint32_t>(h) << 16;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

uint16_t narrowB(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, 4);
    if (f != f) return (bits >> 16) | 0x40;
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// bytesOf is the size of an element of an HcclDataType; 0: not one of this emulation.
uint64_t bytesOf(int type)
{
    switch (type) {
    case 0: case 7: return 1;
    case 1: case 3: case 8: case 11: return 2;
    case 2: case 4: case 9: return 4;
    case 5: case 6: return 8;
    }
    return 0;
}

bool sums(int type) { return type == 0 || type == 2 || type == 3 || type == 4 || type == 11; }

// addUp sums element i of all sources into a destination.
void addUp(const std::vector<const uint8_t*>& from, uint8_t* to, uint64_t i, uint64_t out, int type)
{
    uint64_t n = bytesOf(type);
    if (type == 0 || type == 2) {
        uint32_t total = 0;
        for (const uint8_t* p : from) {
            uint32_t v = 0;
            memcpy(&v, p + i * n, n);
            total += v;
        }
        memcpy(to + out * n, &total, n);
        return;
    }
    float total = 0;
    for (size_t k = 0; k < from.size(); k++) {
        float v;
        uint16_t h;
        memcpy(&h, from[k] + i * n, 2);
        if (type == 4) {
            memcpy(&v, from[k] + i * n, 4);
        } else {
            v = type == 3 ? widen(h) : widenB(h);
        }
        total = k == 0 ? v : total + v;
    }
    uint16_t h = type == 3 ? narrow(total) : narrowB(total);
    memcpy(to + out * n, type == 4 ? static_cast<void*>(&total) : &h, n);
}

// work does a collective whose members are all here.
int work(Meeting& m, uint32_t size)
{
    const Ask& a = m.here.begin()->second;
    uint64_t n = bytesOf(a.type) * a.count;
    std::vector<const uint8_t*> from;
    std::vector<uint8_t*> to;
    for (auto& h : m.here) {
        const Ask& b = h.second;
        if (!a.fits(b)) {
            return blame(kInternal, "members of a communicator asked for different collectives");
        }
        from.push_back(reach(b.device, b.send, b.op == kScatterSum ? n * size : n));
        to.push_back(reach(b.device, b.recv, b.op == kGather ? n * size : n));
        if (!from.back() || !to.back()) {
            return blame(kInternal, "a buffer of a collective is not inside one allocation");
        }
    }
    std::vector<std::vector<uint8_t>> results(size);
    for (uint32_t r = 0; r < size; r++) {
        std::vector<uint8_t>& out = results[r];
        out.resize(a.op == kGather ? n * size : n);
        if (a.op == kGather) {
            for (uint32_t k = 0; k < size; k++) {
                memcpy(&out[k * n], from[k], n);
            }
            continue;
        }
        for (uint64_t i = 0; i < a.count; i++) {
            addUp(from, &out[0], a.op == kScatterSum ? r * a.count + i : i, i, a.type);
        }
    }
    for (uint32_t r = 0; r < size; r++) {
        memcpy(to[r], &results[r][0], results[r].size());
    }
    return 0;
}

// meet runs on the thread of a stream.
int meet(Stream& s, Group& g, uint32_t rank, uint64_t number, const Ask& ask)
{
    std::unique_lock<std::mutex> hold(g.lock);
    auto& slot = g.meetings[number];
    if (!slot) {
        slot = std::make_shared<Meeting>();
    }
    std::shared_ptr<Meeting> m = slot;
    m->here[rank] = ask;
    if (m->here.size() == g.size) {
        m->code = work(*m, g.size);
        m->done = true;
        g.changed.notify_all();
    }
    auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(execTimeout);
    while (!m->done && !s.aborted && std::chrono::steady_clock::now() < until) {
        g.changed.wait_for(hold, std::chrono::milliseconds(5));
    }
    int code = m->done ? m->code : s.aborted ? kAborted : kKernelFailed;
    if (!m->done) {
        s.said = "a collective of " + std::to_string(g.size) + " ranks had " + std::to_string(m->here.size());
        m->here.erase(rank);
    }
    if (++m->left == g.size) {
        g.meetings.erase(number);
    }
    return code;
}

int put(const char* call, Op op, uint64_t send, uint64_t recv, uint64_t count, int type, int reduce,
    uint64_t comm, uint64_t stream)
{
    if (int e = enter(call)) return e;
    std::shared_ptr<Stream> s;
    if (streamOf(stream, s)) {
        return kParameter;
    }
    auto c = get<Communicator>(comm, "communicator");
    if (!c || bytesOf(type) == 0 || reduce != 0) {
        return kParameter;
    }
    if (c->device != s->device) {
        return blame(kParameter, "%s: a communicator of device %d on a stream of device %d", call, c->device,
            s->device);
    }
    bool coupled = socName.compare(0, 9, "Ascend310") == 0;
    if ((op != kGather && !sums(type)) || (coupled && type == 11)) {
        return kNotSupported;
    }
    std::lock_guard<std::mutex> hold(c->lock);
    uint64_t number = c->next++;
    Ask ask{op, send, recv, count, type, s->device};
    s->put([c, number, ask](Stream& s) { return meet(s, *c->group, c->rank, number, ask); });
    return 0;
}

int make(int device, std::shared_ptr<Group> g, uint32_t rank, uint64_t* comm)
{
    *comm = keep(std::make_shared<Communicator>(device, std::move(g), rank));
    return 0;
}

// join waits until all members of a communicator have come.
int join(const std::string& key, uint32_t size, uint32_t rank, uint64_t* comm)
{
    int device;
    uint64_t context;
    if (current(device, context) || rank >= size) {
        return kParameter;
    }
    std::unique_lock<std::mutex> hold(gate);
    auto& slot = pending[key];
    if (!slot) {
        slot = std::make_shared<Pending>();
        slot->group = std::make_shared<Group>(size);
    }
    auto p = slot;
    if (p->group->size != size || p->here.count(rank)) {
        return blame(kParameter, "a rank joins a communicator twice, or with another size");
    }
    p->here[rank] = true;
    if (p->here.size() == size) {
        pending.erase(key);
        opened.notify_all();
        return make(device, p->group, rank, comm);
    }
    bool all = opened.wait_for(hold, std::chrono::milliseconds(connectTimeout),
        [&] { return p->here.size() == size; });
    if (!all) {
        p->here.erase(rank);
        if (p->here.empty()) {
            pending.erase(key);
        }
        say("not all ranks came");
        return kTimeout;
    }
    return make(device, p->group, rank, comm);
}

} // namespace

extern "C" {

int HcclGetRootInfo(void* info)
{
    if (int e = enter("HcclGetRootInfo")) return e;
    std::lock_guard<std::mutex> hold(gate);
    memset(info, 0, 4108);
    memcpy(info, &nextRoot, 8);
    nextRoot++;
    return 0;
}

int HcclCommInitRootInfo(uint32_t size, const void* info, uint32_t rank, uint64_t* comm)
{
    if (int e = enter("HcclCommInitRootInfo")) return e;
    uint64_t root;
    memcpy(&root, info, 8);
    if (root == 0) {
        return kParameter;
    }
    return join("root " + std::to_string(root), size, rank, comm);
}

int HcclCommInitClusterInfo(const char* table, uint32_t rank, uint64_t* comm)
{
    if (int e = enter("HcclCommInitClusterInfo")) return e;
    std::ifstream file(table);
    std::stringstream text;
    text << file.rdbuf();
    uint32_t size = 0;
    for (size_t at = 0; (at = text.str().find("\"rank_id\"", at)) != std::string::npos; at++) {
        size++;
    }
    if (!file || size == 0) {
        return kOpenFile;
    }
    return join(std::string("table ") + table, size, rank, comm);
}

int HcclCommInitAll(uint32_t count, int32_t* devices, uint64_t* comms)
{
    if (int e = enter("HcclCommInitAll")) return e;
    int device;
    uint64_t context;
    if (current(device, context)) {
        return kParameter;
    }
    auto g = std::make_shared<Group>(count);
    for (uint32_t i = 0; i < count; i++) {
        if (!deviceOf(devices[i])) {
            return kParameter;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        make(devices[i], g, i, &comms[i]);
    }
    return 0;
}

int HcclCommDestroy(uint64_t comm)
{
    int fault = enter("HcclCommDestroy");
    int e = drop(comm, "communicator");
    return fault ? fault : e ? kParameter : 0;
}

int HcclAllGather(uint64_t send, uint64_t recv, uint64_t count, int type, uint64_t comm, uint64_t stream)
{
    return put("HcclAllGather", kGather, send, recv, count, type, 0, comm, stream);
}

int HcclReduceScatter(uint64_t send, uint64_t recv, uint64_t count, int type, int reduce, uint64_t comm,
    uint64_t stream)
{
    return put("HcclReduceScatter", kScatterSum, send, recv, count, type, reduce, comm, stream);
}

int HcclAllReduce(uint64_t send, uint64_t recv, uint64_t count, int type, int reduce, uint64_t comm,
    uint64_t stream)
{
    return put("HcclAllReduce", kSum, send, recv, count, type, reduce, comm, stream);
}

const char* HcclGetErrorString(int code)
{
    switch (code) {
    case 0: return "no error";
    case kParameter: return "parameter error";
    case kNotSupported: return "not supported";
    case kTimeout: return "timeout";
    case kOpenFile: return "open file fail";
    }
    return "internal error";
}

} // extern "C"
