// Vector instructions: how lanes, masks, repeats and strides walk over memory.
#include <algorithm>

#include "lanes.h"

namespace emu {

bool laneOn(const Lanes& l, uint32_t k) { return (l.mask[k / 64] >> (k % 64) & 1) != 0; }

// planLanes resolves the mask form; widest is the largest element size, which masks count in.
bool planLanes(const Instr& i, Lanes& l, uint32_t widest)
{
    l.perRepeat = 256 / std::max(widest, 2u);
    l.repeat = i.repeat;
    l.flat = i.form == kCount;
    l.mask[0] = i.mask[0];
    l.mask[1] = i.mask[1];
    l.lanes = i.mask[0];
    if (l.flat) {
        if (l.lanes == 0) {
            report("zero-count", here.line, 0, "%s with a count of 0 is not defined on every chip",
                opName(i.op));
        }
        return l.lanes != 0;
    }
    if (i.repeat == 0 || i.repeat > 255) {
        report(i.repeat == 0 ? "zero-count" : "repeat-range", here.line, 0,
            "%s: repeat %u is not in 1 to 255",
            opName(i.op), i.repeat);
        return false;
    }
    if (i.form == kLanes) {
        if (i.mask[0] == 0 || i.mask[0] > l.perRepeat) {
            report("mask-range", here.line, 0, "%s: mask %llu is not in 1 to %u", opName(i.op),
                (unsigned long long)i.mask[0], l.perRepeat);
            return false;
        }
        uint64_t n = i.mask[0];
        l.mask[0] = n >= 64 ? ~0ull : (1ull << n) - 1;
        l.mask[1] = n >= 128 ? ~0ull : n > 64 ? (1ull << (n - 64)) - 1 : 0;
    }
    if (l.perRepeat == 64) {
        l.mask[1] = 0;
    }
    if ((l.mask[0] | l.mask[1]) == 0) {
        report("mask-range", here.line, 0, "%s: the mask has no lane", opName(i.op));
        return false;
    }
    return true;
}

static bool stridesFit(const Instr& i, const Opnd& o, bool isDst)
{
    if (isDst && o.blk == 0 && i.op != oDuplicate) {
        report("stride", here.line, 0, "%s: a destination block stride of 0 is not defined",
            opName(i.op));
        return false;
    }
    return true;
}

// lastLane is one past the highest enabled lane.
static uint32_t lastLane(const Lanes& l)
{
    if (l.mask[1] != 0) {
        return 128 - static_cast<uint32_t>(__builtin_clzll(l.mask[1]));
    }
    return 64 - static_cast<uint32_t>(__builtin_clzll(l.mask[0]));
}

static uint64_t extent(const Opnd& o, const Lanes& l)
{
    uint32_t size = sizeOf(o.type);
    if (l.flat) {
        return l.lanes * size;
    }
    uint32_t perBlock = kGrain / size;
    uint32_t last = lastLane(l);
    uint64_t rep = static_cast<uint64_t>(l.repeat - 1) * o.rep * kGrain;
    uint64_t far = 0;
    for (uint32_t k = perBlock; k - perBlock < last; k += perBlock) {
        uint32_t b = k / perBlock - 1;
        uint64_t lanes = std::min(perBlock, last - b * perBlock);
        far = std::max<uint64_t>(far, static_cast<uint64_t>(b) * o.blk * kGrain + lanes * size);
    }
    return rep + far;
}

static bool reachable(const Instr& i, const Opnd& o, const Lanes& l, bool isDst)
{
    if (o.mem != kUB) {
        report("vector-memory", here.line, 0, "%s: a vector operand lies in %s, not in UB",
            opName(i.op),
            memName(o.mem));
        return false;
    }
    return stridesFit(i, o, isDst) && bounds(o, o.addr, extent(o, l), kGrain);
}

// byteMask spreads the lanes of block b of a repeat over the bytes of that block.
static uint32_t byteMask(const Lanes& l, uint32_t b, uint32_t size)
{
    uint32_t perBlock = kGrain / size;
    uint32_t first = b * perBlock;
    uint64_t lanes = l.mask[first / 64] >> (first % 64);
    lanes &= (1ull << perBlock) - 1;
    if (lanes == (1ull << perBlock) - 1) {
        return ~0u;
    }
    uint32_t m = 0;
    uint32_t one = size == 4 ? 0xfu : size == 2 ? 0x3u : 1u;
    for (uint32_t k = 0; k < perBlock; k++) {
        m |= (lanes >> k & 1) != 0 ? one << (k * size) : 0;
    }
    return m;
}

static void touchOperand(const Opnd& o, const Lanes& l, Access kind)
{
    if (l.flat) {
        touch(o, o.addr, l.lanes * sizeOf(o.type), kind);
        return;
    }
    uint32_t size = sizeOf(o.type);
    uint32_t blocks = l.perRepeat * size / kGrain;
    for (uint32_t r = 0; r < l.repeat; r++) {
        for (uint32_t b = 0; b < blocks; b++) {
            uint64_t a = o.addr + (static_cast<uint64_t>(r) * o.rep
                + static_cast<uint64_t>(b) * o.blk) * kGrain;
            touchMask(o, a, byteMask(l, b, size), kind);
        }
    }
}

static uint64_t laneAddress(const Opnd& o, uint32_t r, uint32_t k)
{
    uint32_t size = sizeOf(o.type);
    uint32_t perBlock = kGrain / size;
    return o.addr + (static_cast<uint64_t>(r) * o.rep
        + static_cast<uint64_t>(k / perBlock) * o.blk) * kGrain +
        (k % perBlock) * size;
}

static void gather(uint8_t* out, const Opnd& o, uint32_t r, uint32_t lanes)
{
    uint32_t size = sizeOf(o.type);
    uint32_t perBlock = kGrain / size;
    for (uint32_t k = 0; k < lanes; k += perBlock) {
        uint64_t a = laneAddress(o, r, k);
        uint64_t limit = chip.size[kUB];
        if (a + kGrain <= limit) {
            memcpy(out + k * size, pointer(o, a), kGrain);
        }
    }
}

static void scatter(const Opnd& o, uint32_t r, const Lanes& l, const uint8_t* in)
{
    uint32_t size = sizeOf(o.type);
    uint32_t perBlock = kGrain / size;
    for (uint32_t k = 0; k < l.perRepeat; k += perBlock) {
        uint64_t a = laneAddress(o, r, k);
        uint32_t m = byteMask(l, k / perBlock, size);
        if (m == ~0u) {
            memcpy(pointer(o, a), in + k * size, kGrain);
            continue;
        }
        for (uint32_t j = 0; j < perBlock && m != 0; j++) {
            if (laneOn(l, k + j)) {
                memcpy(pointer(o, a) + j * size, in + (k + j) * size, size);
            }
        }
    }
}

static bool readsDst(const Instr& i)
{
    return i.op == oAxpy || i.op == oMulAddDst || i.op == oFusedMulAdd;
}

static bool anyTaint(const Opnd& o, const Lanes& l)
{
    if (l.flat) {
        return tainted(o, o.addr, l.lanes * sizeOf(o.type));
    }
    uint32_t size = sizeOf(o.type);
    for (uint32_t r = 0; r < l.repeat; r++) {
        for (uint32_t b = 0; b < l.perRepeat * size / kGrain; b++) {
            uint64_t a = laneAddress(o, r, b * (kGrain / size));
            uint32_t m = byteMask(l, b, size);
            if (m != 0 && (*taintCell(o, a) & m) != 0) {
                return true;
            }
        }
    }
    return false;
}

static void clearTaint(const Opnd& d, const Lanes& l)
{
    if (l.flat) {
        setTaint(d, d.addr, l.lanes * sizeOf(d.type), false);
        return;
    }
    uint32_t size = sizeOf(d.type);
    for (uint32_t r = 0; r < l.repeat; r++) {
        for (uint32_t b = 0; b < l.perRepeat * size / kGrain; b++) {
            uint32_t m = byteMask(l, b, size);
            if (m != 0) {
                *taintCell(d, laneAddress(d, r, b * (kGrain / size))) &= ~m;
            }
        }
    }
}

static void laneTaint(const Instr& i, uint64_t d, uint64_t a, uint64_t b)
{
    bool t = i.sources > 0 && tainted(i.s[0], a, sizeOf(i.s[0].type));
    t = t || (i.sources > 1 && tainted(i.s[1], b, sizeOf(i.s[1].type)));
    t = t || (readsDst(i) && tainted(i.d, d, sizeOf(i.d.type)));
    setTaint(i.d, d, sizeOf(i.d.type), t);
}

static void spreadTaint(const Instr& i, const Lanes& l)
{
    bool any = readsDst(i) && anyTaint(i.d, l);
    for (int k = 0; k < i.sources; k++) {
        any = any || anyTaint(i.s[k], l);
    }
    if (!any) {
        clearTaint(i.d, l);
        return;
    }
    if (l.flat) {
        for (uint64_t k = 0; k < l.lanes; k++) {
            laneTaint(i, i.d.addr + k * sizeOf(i.d.type), i.s[0].addr + k * sizeOf(i.s[0].type),
                i.s[1].addr + k * sizeOf(i.s[1].type));
        }
        return;
    }
    for (uint32_t r = 0; r < l.repeat; r++) {
        for (uint32_t k = 0; k < l.perRepeat; k++) {
            if (laneOn(l, k)) {
                laneTaint(i, laneAddress(i.d, r, k), laneAddress(i.s[0], r, k), laneAddress(i.s[1],
                    r, k));
            }
        }
    }
}

// overlapFits holds the overlap rules: source and destination are the same tensor or apart, and
// what one
// repeat writes is no source of the next, except where an accumulation names it with a stride of 0.
static bool overlapFits(const Instr& i, const Lanes& l)
{
    Lanes one = l;
    one.repeat = 1;
    uint64_t d0 = i.d.addr, d1 = d0 + extent(i.d, one);
    for (int k = 0; k < i.sources; k++) {
        const Opnd& s = i.s[k];
        uint64_t s0 = s.addr, n = extent(s, one);
        bool same = s0 == d0 && sizeOf(s.type) == sizeOf(i.d.type);
        bool clash = !same && s0 < d1 && d0 < s0 + n;
        uint64_t next = s0 + static_cast<uint64_t>(s.rep) * kGrain;
        bool accumulates = same && s.rep == 0 && i.d.rep == 0;
        clash = clash || (!l.flat && l.repeat > 1 && !accumulates && next < d1 && d0 < next + n);
        if (clash) {
            report("overlap", here.line, 0, "%s: source %d overlaps the destination in part",
                opName(i.op), k);
            return false;
        }
    }
    return true;
}

static void computeRepeats(const Instr& i, const Lanes& l)
{
    alignas(32) uint8_t d[512], a[512], b[512];
    for (uint32_t r = 0; r < l.repeat; r++) {
        if (readsDst(i)) {
            gather(d, i.d, r, l.perRepeat);
        }
        if (i.sources > 0) {
            gather(a, i.s[0], r, l.perRepeat);
        }
        if (i.sources > 1) {
            gather(b, i.s[1], r, l.perRepeat);
        }
        elementwise(i, d, a, b, l.perRepeat);
        scatter(i.d, r, l, d);
    }
}

static void execLanes(Instr& i)
{
    uint32_t widest = sizeOf(i.d.type);
    for (int k = 0; k < i.sources; k++) {
        widest = std::max(widest, sizeOf(i.s[k].type));
    }
    Lanes l;
    if (!planLanes(i, l, widest)) {
        return;
    }
    bool fits = reachable(i, i.d, l, true);
    for (int k = 0; k < i.sources; k++) {
        fits = reachable(i, i.s[k], l, false) && fits;
    }
    if (!fits || (i.op == oCast && !castAllowed(i))) {
        return;
    }
    if (run->checks) {
        if (!overlapFits(i, l)) {
            return;
        }
        for (int k = 0; k < i.sources; k++) {
            touchOperand(i.s[k], l, kRead);
        }
        if (readsDst(i)) {
            touchOperand(i.d, l, kRead);
        }
        touchOperand(i.d, l, kWrite);
        spreadTaint(i, l);
    }
    if (!l.flat) {
        computeRepeats(i, l);
        return;
    }
    uint8_t* a = i.sources > 0 ? pointer(i.s[0], i.s[0].addr) : nullptr;
    uint8_t* b = i.sources > 1 ? pointer(i.s[1], i.s[1].addr) : nullptr;
    elementwise(i, pointer(i.d, i.d.addr), a, b, l.lanes);
}

void execVector(Instr& i)
{
    if (!execSpecial(i)) {
        execLanes(i);
    }
}

} // namespace emu
