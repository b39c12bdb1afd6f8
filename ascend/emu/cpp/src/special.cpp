// Vector instructions that are not element-wise: comparisons, selections, gathers, transposes.
#include <algorithm>

#include "lanes.h"

namespace emu {

bool execReduce(Instr& i);

static bool readable(const Opnd& o, uint64_t addr, uint64_t bytes, uint32_t align)
{
    if (o.mem != kUB) {
        report("vector-memory", here.line, 0, "%s: a vector operand lies in %s, not in UB",
            opName(here.op),
            memName(o.mem));
        return false;
    }
    return bounds(o, addr, bytes, align);
}

static void take(const Opnd& o, uint64_t addr, uint64_t bytes) { touch(o, addr, bytes, kRead); }

static void put(const Opnd& o, uint64_t addr, uint64_t bytes, bool taint)
{
    touch(o, addr, bytes, kWrite);
    setTaint(o, addr, bytes, taint);
}

static bool dirtyBytes(const Opnd& o, uint64_t addr, uint64_t bytes)
{
    return run->checks && tainted(o, addr, bytes);
}

// ---- broadcast of eight elements to eight blocks

static void execBrcb(Instr& i)
{
    uint32_t size = sizeOf(i.d.type);
    if (k310 && i.d.blk != 1) {
        report("stride", here.line, 0,
            "Brcb: only a destination block stride of 1 works on this chip");
        return;
    }
    if (i.repeat == 0) {
        report("zero-count", here.line, 0, "Brcb with a repeat of 0 is not defined on every chip");
        return;
    }
    uint64_t span = (static_cast<uint64_t>(i.repeat - 1) * i.d.rep + 7ull * i.d.blk + 1) * kGrain;
    if (!readable(i.s[0], i.s[0].addr, 8ull * i.repeat * size, kGrain) ||
        !readable(i.d, i.d.addr, span, kGrain)) {
        return;
    }
    for (uint32_t k = 0; k < 8 * i.repeat; k++) {
        uint64_t from = i.s[0].addr + k * size;
        uint64_t to = i.d.addr + (static_cast<uint64_t>(k / 8) * i.d.rep
            + (k % 8) * i.d.blk) * kGrain;
        take(i.s[0], from, size);
        put(i.d, to, kGrain, dirtyBytes(i.s[0], from, size));
        uint8_t v[4];
        memcpy(v, pointer(i.s[0], from), size);
        for (uint32_t j = 0; j < kGrain; j += size) {
            memcpy(pointer(i.d, to) + j, v, size);
        }
    }
}

// ---- gathers

static uint64_t laneAt(const Opnd& o, const Lanes& l, uint64_t k)
{
    uint32_t size = sizeOf(o.type);
    if (l.flat) {
        return o.addr + k * size;
    }
    return o.addr + (k / l.perRepeat) * o.rep * kGrain + (k % l.perRepeat) * size;
}

static void execGather(Instr& i)
{
    Lanes l;
    if (!planLanes(i, l, sizeOf(i.d.type))) {
        return;
    }
    uint32_t size = sizeOf(i.d.type);
    bool scatters = i.op == oScatter;
    uint64_t n = l.flat ? l.lanes : static_cast<uint64_t>(l.perRepeat) * l.repeat;
    const Opnd& dense = scatters ? i.s[0] : i.d;
    const Opnd& sparse = scatters ? i.d : i.s[0];
    if (!readable(i.s[1], i.s[1].addr, n * 4, kGrain) ||
        !readable(dense, dense.addr, laneAt(dense, l, n - 1) + size - dense.addr, kGrain)) {
        return;
    }
    for (uint64_t k = 0; k < n; k++) {
        if (!l.flat && !laneOn(l, static_cast<uint32_t>(k % l.perRepeat))) {
            continue;
        }
        uint64_t index = i.s[1].addr + k * 4;
        take(i.s[1], index, 4);
        if (dirtyBytes(i.s[1], index, 4)) {
            report("taint-address", here.line, 0, "%s uses an undefined offset", opName(i.op));
            return;
        }
        uint32_t off;
        memcpy(&off, pointer(i.s[1], index), 4);
        uint64_t there = sparse.addr + static_cast<uint64_t>(i.p[0]) + off;
        uint64_t here2 = laneAt(dense, l, k);
        if (!readable(sparse, there, size, size)) {
            return;
        }
        uint64_t from = scatters ? here2 : there, to = scatters ? there : here2;
        take(i.s[0], from, size);
        put(i.d, to, size, dirtyBytes(i.s[0], from, size));
        memcpy(pointer(i.d, to), pointer(i.s[0], from), size);
    }
}

static bool patternBit(const Instr& i, uint64_t repeat, uint32_t lane)
{
    switch (i.p[0]) {
    case 1: return lane % 2 == 0;
    case 2: return lane % 2 == 1;
    case 3: case 4: case 5: case 6: return lane % 4 == static_cast<uint32_t>(i.p[0]) - 3;
    case 7: return true;
    default: break;
    }
    uint32_t per = 256 / sizeOf(i.d.type);
    uint64_t base = i.s[1].addr + repeat * i.s[1].rep * kGrain;
    (void)per;
    return (*pointer(i.s[1], base + lane / 8) >> (lane % 8) & 1) != 0;
}

// maskExtent gives repeats and lanes a repeat: counter mode counts in total on 310P, by repeat on
// 910B.
static void maskExtent(const Instr& i, uint64_t* repeats, uint64_t* lanes, uint64_t* total)
{
    uint64_t per = 256 / sizeOf(i.d.type);
    *repeats = i.repeat;
    *lanes = per;
    *total = per * i.repeat;
    if (i.p[1] == 0) {
        return;
    }
    uint64_t mask = static_cast<uint64_t>(i.p[2]);
    if (k310) {
        *repeats = (mask + per - 1) / per;
        *total = mask;
        return;
    }
    *lanes = mask;
    *total = mask * i.repeat;
}

static uint64_t maskSource(const Instr& i, uint64_t r, uint64_t k)
{
    uint32_t size = sizeOf(i.d.type);
    uint64_t perBlock = kGrain / size;
    return i.s[0].addr + (r * i.s[0].rep + (k / perBlock) * i.s[0].blk) * kGrain
        + (k % perBlock) * size;
}

uint64_t reservedCount(Instr& i)
{
    here = Here{cur, kS, cur->pipe[kS].count, i.line, i.op, false};
    if (i.sources == 2) {
        drainScalar(i.line);
    }
    uint64_t repeats, lanes, total, n = 0;
    maskExtent(i, &repeats, &lanes, &total);
    for (uint64_t r = 0, seen = 0; r < repeats; r++) {
        for (uint64_t k = 0; k < lanes && seen < total; k++, seen++) {
            n += patternBit(i, r, static_cast<uint32_t>(k)) ? 1 : 0;
        }
    }
    return n;
}

static void execGatherMask(Instr& i)
{
    int64_t last = k310 ? 6 : 7;
    uint32_t size = sizeOf(i.d.type);
    if (i.sources == 1 && (i.p[0] < 1 || i.p[0] > last)) {
        report("pattern", here.line, 0, "GatherMask: pattern %lld is not in 1 to %lld",
            (long long)i.p[0],
            (long long)last);
        return;
    }
    uint64_t repeats, lanes, total, out = 0;
    maskExtent(i, &repeats, &lanes, &total);
    if (total == 0) {
        report("zero-count", here.line, 0, "GatherMask of no elements");
        return;
    }
    for (uint64_t r = 0, seen = 0; r < repeats; r++) {
        for (uint64_t k = 0; k < lanes && seen < total; k++, seen++) {
            if (!patternBit(i, r, static_cast<uint32_t>(k))) {
                continue;
            }
            uint64_t from = maskSource(i, r, k), to = i.d.addr + out++ * size;
            if (!readable(i.s[0], from, size, size) || !readable(i.d, to, size, size)) {
                return;
            }
            take(i.s[0], from, size);
            put(i.d, to, size, dirtyBytes(i.s[0], from, size));
            memcpy(pointer(i.d, to), pointer(i.s[0], from), size);
        }
    }
}

// ---- comparisons

static bool comparePlan(Instr& i, Lanes& l)
{
    uint32_t size = sizeOf(i.s[0].type);
    if (i.s[0].type == I32 && i.mode != static_cast<uint8_t>(AscendC::CMPMODE::EQ)) {
        report("compare-mode", here.line, 0, "%s of int32 takes EQ only", opName(i.op));
        return false;
    }
    if (!planLanes(i, l, size)) {
        return false;
    }
    if (l.flat && l.lanes * size % 256 != 0) {
        report("compare-count", here.line, 0, "%s: %llu elements are not a multiple of 256 bytes",
            opName(i.op), (unsigned long long)l.lanes);
        return false;
    }
    return true;
}

static void execCompare(Instr& i)
{
    Lanes l;
    if (!comparePlan(i, l)) {
        return;
    }
    uint32_t size = sizeOf(i.s[0].type);
    uint64_t n = l.flat ? l.lanes : static_cast<uint64_t>(l.perRepeat) * l.repeat;
    uint64_t reach = laneAt(i.s[0], l, n - 1) + size - i.s[0].addr;
    if (!readable(i.d, i.d.addr, n / 8, kGrain) || !readable(i.s[0], i.s[0].addr, reach, kGrain) ||
        (i.sources > 1 &&
            !readable(i.s[1], i.s[1].addr, laneAt(i.s[1], l, n - 1) + size - i.s[1].addr,
                kGrain))) {
        return;
    }
    const uint8_t* scalar = reinterpret_cast<const uint8_t*>(&i.scalar);
    for (uint64_t k = 0; k < n; k += 8) {
        uint8_t byte = 0;
        bool taint = false;
        for (uint64_t j = k; j < k + 8; j++) {
            uint64_t a = laneAt(i.s[0], l, j), b = laneAt(i.s[1], l, j);
            take(i.s[0], a, size);
            taint = taint || dirtyBytes(i.s[0], a, size);
            if (i.sources > 1) {
                take(i.s[1], b, size);
                taint = taint || dirtyBytes(i.s[1], b, size);
            }
            const uint8_t* right = i.sources > 1 ? pointer(i.s[1], b) : scalar;
            byte |= static_cast<uint8_t>(compareLane(i, pointer(i.s[0], a), right) << (j - k));
        }
        put(i.d, i.d.addr + k / 8, 1, taint);
        *pointer(i.d, i.d.addr + k / 8) = byte;
    }
}

// ---- selection: a set bit takes source 0

static uint64_t selectBit(const Instr& i, const Lanes& l, uint64_t k)
{
    return i.mode == 0 ? k % l.perRepeat : k;
}

static void selectLane(const Instr& i, const Lanes& l, uint64_t k)
{
    uint32_t size = sizeOf(i.d.type);
    uint64_t bit = selectBit(i, l, k);
    uint64_t sel = i.s[2].addr + bit / 8;
    uint64_t a = laneAt(i.s[0], l, k), b = laneAt(i.s[1], l, k), d = laneAt(i.d, l, k);
    bool both = i.sources == 3;
    take(i.s[2], sel, 1);
    take(i.s[0], a, size);
    if (both) {
        take(i.s[1], b, size);
    }
    bool first = (*pointer(i.s[2], sel) >> (bit % 8) & 1) != 0;
    bool taint = dirtyBytes(i.s[2], sel, 1);
    taint = taint || (first ? dirtyBytes(i.s[0], a, size) : both && dirtyBytes(i.s[1], b, size));
    put(i.d, d, size, taint);
    if (first || both) {
        memmove(pointer(i.d, d), first ? pointer(i.s[0], a) : pointer(i.s[1], b), size);
    } else {
        memcpy(pointer(i.d, d), &i.scalar, size);
    }
}

static void execSelect(Instr& i)
{
    Lanes l;
    if (!planLanes(i, l, sizeOf(i.d.type))) {
        return;
    }
    bool scalar = i.sources == 1;
    if ((i.mode == 1) != scalar) {
        report("select-mode", here.line, 0,
            "Select: a scalar goes with VSEL_TENSOR_SCALAR_MODE only");
        return;
    }
    uint32_t size = sizeOf(i.d.type);
    uint64_t n = l.flat ? l.lanes : static_cast<uint64_t>(l.perRepeat) * l.repeat;
    uint64_t bits = i.mode == 0 ? l.perRepeat : n;
    bool fits = readable(i.s[2], i.s[2].addr, (bits + 7) / 8, kGrain);
    for (const Opnd* o : {&i.d, &i.s[0], scalar ? &i.s[0] : &i.s[1]}) {
        fits = fits && readable(*o, o->addr, laneAt(*o, l, n - 1) + size - o->addr, kGrain);
    }
    for (uint64_t k = 0; k < n && fits; k++) {
        if (l.flat || laneOn(l, static_cast<uint32_t>(k % l.perRepeat))) {
            selectLane(i, l, k);
        }
    }
}

// ---- transposes

static void moveElement(const Opnd& d, uint64_t to, const Opnd& s, uint64_t from,
    const uint8_t* value,
    uint32_t size)
{
    put(d, to, size, dirtyBytes(s, from, size));
    memcpy(pointer(d, to), value, size);
}

static void execTranspose(Instr& i)
{
    if (!readable(i.s[0], i.s[0].addr, 512, kGrain) || !readable(i.d, i.d.addr, 512, kGrain)) {
        return;
    }
    uint16_t in[256];
    memcpy(in, pointer(i.s[0], i.s[0].addr), 512);
    take(i.s[0], i.s[0].addr, 512);
    for (uint32_t r = 0; r < 16; r++) {
        for (uint32_t c = 0; c < 16; c++) {
            uint8_t v[2];
            memcpy(v, &in[c * 16 + r], 2);
            moveElement(i.d, i.d.addr + (r * 16 + c) * 2, i.s[0], i.s[0].addr + (c * 16 + r) * 2,
                v, 2);
        }
    }
}

static uint64_t listed(const uint64_t* list, uint32_t k)
{
    return k % 2 == 0 ? list[k / 2] & 0xffffffffu : list[k / 2] >> 32;
}

// transBlock transposes one repeat: row j of the sources becomes column j of the destinations.
static void transBlock(Instr& i, uint32_t r)
{
    uint32_t size = sizeOf(i.d.type);
    uint32_t columns = size == 4 ? 8 : 16;
    uint32_t sHigh = size == 1 && (i.mode & 1) != 0 ? 16 : 0, dHigh = size == 1
        && (i.mode & 2) != 0 ? 16 : 0;
    uint8_t in[16][32];
    uint64_t dst[8];
    memcpy(dst, i.p, sizeof dst);
    for (uint32_t j = 0; j < 16; j++) {
        uint64_t a = listed(i.wide, j) + static_cast<uint64_t>(r) * i.s[0].rep * kGrain;
        if (!readable(i.s[0], a, kGrain, kGrain)) {
            return;
        }
        take(i.s[0], a + sHigh, columns * size);
        memcpy(in[j], pointer(i.s[0], a), kGrain);
    }
    for (uint32_t j = 0; j < 16; j++) {
        for (uint32_t c = 0; c < columns; c++) {
            uint32_t row = size == 4 ? 2 * c + j / 8 : c;
            uint32_t col = size == 4 ? j % 8 : j;
            uint64_t to = listed(dst, row) + static_cast<uint64_t>(r) * i.d.rep * kGrain
                + col * size + dHigh;
            uint64_t from = listed(i.wide, j) + static_cast<uint64_t>(r) * i.s[0].rep * kGrain
                + c * size + sHigh;
            if (!readable(i.d, to / kGrain * kGrain, kGrain, kGrain)) {
                return;
            }
            moveElement(i.d, to, i.s[0], from, in[j] + c * size + sHigh, size);
        }
    }
}

bool execSpecial(Instr& i)
{
    switch (i.op) {
    case oBrcb: execBrcb(i); return true;
    case oGather: case oScatter: execGather(i); return true;
    case oGatherMask: execGatherMask(i); return true;
    case oCompare: case oCompareScalar: execCompare(i); return true;
    case oSelect: execSelect(i); return true;
    case oTranspose: execTranspose(i); return true;
    case oTransDataTo5HD:
        for (uint32_t r = 0; r < i.repeat; r++) {
            transBlock(i, r);
        }
        return true;
    default: return execReduce(i);
    }
}

} // namespace emu
