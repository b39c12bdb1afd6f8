// The scalar unit's accesses to memory: UB words directly, global memory through 64-byte cache
// lines.
#include <algorithm>

#include "core.h"

namespace emu {

constexpr uint64_t kLine = 64;

static uint64_t load(const uint8_t* p, uint32_t n)
{
    uint64_t v = 0;
    memcpy(&v, p, n);
    return v;
}

static bool begin(const Opnd& o, int32_t line, Op op)
{
    Block& b = *cur;
    b.waitLine = line;
    stamp(b, kS, line, op);
    for (int k = 0; k < kScenarios; k++) {
        b.now[k] += chip.scalarIssue;
    }
    if (o.mem != kUB && o.mem != kGM) {
        report("scalar-memory", line, 0, "%s: the scalar unit cannot reach %s", opName(op),
            memName(o.mem));
        return false;
    }
    return bounds(o, o.addr, sizeOf(o.type), sizeOf(o.type));
}

// checkStale reports a hit on a line that was loaded before a write which the program has since
// ordered.
static void checkStale(const Line64& l, const Opnd& o, Region& r, uint32_t bytes, const char* when)
{
    const Cell* c = gmCell(r, o.addr);
    if (c == nullptr) {
        return;
    }
    uint32_t at = o.addr % kGrain;
    uint32_t mask = (bytes >= kGrain ? ~0u : (1u << bytes) - 1u) << at;
    auto old = [&](const Rec& rec) {
        bool write = (rec.tag & 3) != kRead && (rec.mask & mask) != 0;
        bool own = rec.tag >> 8 == here.b->id && ((rec.tag >> 2) & 63) == kS;
        if (write && !own && !ordered(rec, l.clock, l.foreign, false)) {
            report("stale-cache", here.line, l.line,
                "GetValue %s a cache line loaded before the bytes were written: needs "
                "DataCacheCleanAndInvalid", when);
        }
    };
    for (uint32_t k = 0; k < c->n; k++) {
        old(c->r[k]);
    }
    if (c->more != nullptr) {
        for (const Rec& rec : *c->more) {
            old(rec);
        }
    }
}

// checkFirst is checkStale of a line that the launch has not loaded yet: an earlier one on this core
// may have left it in the cache, unless it was invalidated since.
static void checkFirst(const Opnd& o, Region& r, uint32_t bytes)
{
    const Block& b = *here.b;
    if (b.allForgotten || b.forgotten.count(o.addr / kLine * kLine) != 0) {
        return;
    }
    Line64 before = {};
    std::fill(before.clock.v, before.clock.v + kPipes, b.base);
    checkStale(before, o, r, bytes, "may hit");
}

static uint64_t undefinedBytes(Region& r, uint64_t base)
{
    uint64_t m = 0;
    Opnd o;
    o.mem = kGM;
    for (uint64_t k = 0; k < kLine; k += kGrain) {
        uint64_t a = base + k;
        bool inside = a + kGrain > r.lo && a < r.hi;
        uint64_t t = 0;
        if (inside) {
            uint64_t probe = a < r.lo ? r.lo : a;
            const uint32_t* cell = taintCell(o, probe);
            t = cell != nullptr ? *cell : 0;
        }
        m |= t << k;
    }
    return m;
}

static Line64& lineOf(uint64_t addr, Region& r)
{
    Block& b = *here.b;
    uint64_t base = addr / kLine * kLine;
    auto found = b.cache.find(base);
    if (found != b.cache.end()) {
        return found->second;
    }
    for (int k = 0; k < kScenarios; k++) {
        b.now[k] += chip.cacheMiss;
    }
    Line64& l = b.cache[base];
    memcpy(l.data, reinterpret_cast<const uint8_t*>(base), kLine);
    l.dirty = 0;
    l.taint = run->checks ? undefinedBytes(r, base) : 0;
    l.clock = b.pipe[kS].known;
    l.clock.v[kS] = b.pipe[kS].count;
    l.foreign = b.pipe[kS].foreign;
    l.line = here.line;
    return l;
}

static uint64_t readGlobal(const Opnd& o, uint32_t bytes)
{
    Region* r = regionOf(o.addr);
    if (r->role == kIn && !r->shadowed) {
        return load(reinterpret_cast<const uint8_t*>(o.addr), bytes);
    }
    touch(o, o.addr, bytes, kRead);
    bool hit = here.b->cache.count(o.addr / kLine * kLine) != 0;
    Line64& l = lineOf(o.addr, *r);
    if (run->checks && hit) {
        checkStale(l, o, *r, bytes, "hits");
    } else if (run->checks) {
        checkFirst(o, *r, bytes);
    }
    uint64_t at = o.addr % kLine;
    uint64_t mask = ((1ull << bytes) - 1) << at;
    if (run->checks && (l.taint & mask) != 0) {
        report("taint-scalar", here.line, 0, "GetValue reads undefined bytes of argument %d",
            r->arg);
    }
    return load(l.data + at, bytes);
}

uint64_t readScalar(const Opnd& o, int32_t line)
{
    if (!begin(o, line, oGetValue)) {
        return 0;
    }
    uint32_t bytes = sizeOf(o.type);
    if (o.mem == kGM) {
        return readGlobal(o, bytes);
    }
    touch(o, o.addr, bytes, kRead);
    if (run->checks && tainted(o, o.addr, bytes)) {
        report("taint-scalar", line, 0, "GetValue reads undefined bytes of UB");
    }
    return load(pointer(o, o.addr), bytes);
}

void writeScalar(const Opnd& o, uint64_t bits, int32_t line)
{
    if (!begin(o, line, oSetValue)) {
        return;
    }
    uint32_t bytes = sizeOf(o.type);
    if (o.mem == kUB) {
        touch(o, o.addr, bytes, kWrite);
        setTaint(o, o.addr, bytes, false);
        memcpy(pointer(o, o.addr), &bits, bytes);
        return;
    }
    Region* r = regionOf(o.addr);
    if (r->role == kIn) {
        report("store-to-input", line, 0, "SetValue writes argument %d, which is an input", r->arg);
        return;
    }
    Line64& l = lineOf(o.addr, *r);
    uint64_t at = o.addr % kLine;
    uint64_t mask = ((1ull << bytes) - 1) << at;
    memcpy(l.data + at, &bits, bytes);
    l.dirty |= mask;
    l.taint &= ~mask;
    l.line = line;
}

// writeBack stores the dirty bytes of a line. The card writes whole lines, so a line counts as
// written
// as far as it lies in the tensor: two cores must not share one.
static void writeBack(uint64_t base, Line64& l)
{
    if (l.dirty == 0) {
        return;
    }
    Region* r = regionOf(base + static_cast<uint64_t>(__builtin_ctzll(l.dirty)));
    uint64_t lo = base < r->lo ? r->lo : base;
    uint64_t hi = base + kLine > r->hi ? r->hi : base + kLine;
    Opnd o;
    o.mem = kGM;
    touch(o, lo, hi - lo, kWrite);
    for (uint64_t k = 0; k < kLine; k++) {
        if ((l.dirty >> k & 1) != 0) {
            *reinterpret_cast<uint8_t*>(base + k) = l.data[k];
            setTaint(o, base + k, 1, false);
        }
    }
    l.dirty = 0;
}

void flushCache(const Opnd& o, bool whole, int32_t line)
{
    Block& b = *cur;
    stamp(b, kS, line, oDataCacheCleanAndInvalid);
    if (whole) {
        for (auto& entry : b.cache) {
            writeBack(entry.first, entry.second);
        }
        b.cache.clear();
        b.allForgotten = true;
        return;
    }
    b.forgotten.insert(o.addr / kLine * kLine);
    auto found = b.cache.find(o.addr / kLine * kLine);
    if (found != b.cache.end()) {
        writeBack(found->first, found->second);
        b.cache.erase(found);
    }
}

// flushAll is the end of a block: a dirty line that was never cleaned may be lost on a card.
void flushAll(Block& b)
{
    for (auto& entry : b.cache) {
        if (entry.second.dirty != 0) {
            report("cache-unflushed", entry.second.line, 0,
                "SetValue to global memory is not followed by DataCacheCleanAndInvalid");
        }
        writeBack(entry.first, entry.second);
    }
    b.cache.clear();
}

} // namespace emu
