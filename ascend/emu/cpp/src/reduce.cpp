// Reductions, in the order of the device: adjacent pairs inside a repeat, then over the repeats.
#include <algorithm>

#include "lanes.h"

namespace emu {

static float loadFloat(const Opnd& o, uint64_t a)
{
    if (o.type == F16) {
        uint16_t h;
        memcpy(&h, pointer(o, a), 2);
        return fromHalf(h);
    }
    float f;
    memcpy(&f, pointer(o, a), 4);
    return f;
}

static void storeFloat(const Opnd& o, uint64_t a, float v, bool taint)
{
    uint32_t size = sizeOf(o.type);
    touch(o, a, size, kWrite);
    setTaint(o, a, size, taint);
    if (o.type == F16) {
        uint16_t h = toHalf(v, k310);
        memcpy(pointer(o, a), &h, 2);
    } else {
        memcpy(pointer(o, a), &v, 4);
    }
}

static void storeIndex(const Opnd& o, uint64_t a, uint32_t index, bool taint)
{
    uint32_t size = sizeOf(o.type);
    touch(o, a, size, kWrite);
    setTaint(o, a, size, taint);
    memcpy(pointer(o, a), &index, size);
}

static uint64_t address(const Opnd& o, const Lanes& l, uint32_t r, uint32_t k)
{
    uint32_t size = sizeOf(o.type);
    if (l.flat) {
        return o.addr + (static_cast<uint64_t>(r) * l.perRepeat + k) * size;
    }
    uint32_t perBlock = kGrain / size;
    return o.addr + (static_cast<uint64_t>(r) * o.rep + (k / perBlock) * o.blk) * kGrain
        + (k % perBlock) * size;
}

static uint32_t repeats(const Lanes& l)
{
    return l.flat ? static_cast<uint32_t>((l.lanes + l.perRepeat - 1) / l.perRepeat) : l.repeat;
}

static bool active(const Lanes& l, uint32_t r, uint32_t k)
{
    return l.flat ? static_cast<uint64_t>(r) * l.perRepeat + k < l.lanes : laneOn(l, k);
}

// Row is one repeat of the source: values, which lanes count, and whether any of them is undefined.
struct Row {
    float v[128];
    bool on[128];
    bool taint;
};

// loadBlock reads the counted lanes of block b of a repeat.
static bool loadBlock(const Instr& i, const Lanes& l, uint32_t r, uint32_t b, Row& row)
{
    uint32_t size = sizeOf(i.s[0].type), perBlock = kGrain / size;
    uint32_t mask = 0, last = 0, one = size == 4 ? 0xfu : 0x3u;
    for (uint32_t j = 0; j < perBlock; j++) {
        uint32_t k = b * perBlock + j;
        row.on[k] = active(l, r, k);
        row.v[k] = 0;
        if (row.on[k]) {
            mask |= one << (j * size);
            last = (j + 1) * size;
        }
    }
    if (mask == 0) {
        return true;
    }
    uint64_t a = address(i.s[0], l, r, b * perBlock);
    if (!bounds(i.s[0], a, last, kGrain)) {
        return false;
    }
    if (run->checks) {
        touchMask(i.s[0], a, mask, kRead);
        row.taint = row.taint || (*taintCell(i.s[0], a) & mask) != 0;
    }
    for (uint32_t j = 0; j < perBlock; j++) {
        if (row.on[b * perBlock + j]) {
            row.v[b * perBlock + j] = loadFloat(i.s[0], a + j * size);
        }
    }
    return true;
}

static bool loadRow(const Instr& i, const Lanes& l, uint32_t r, Row& row)
{
    row.taint = false;
    for (uint32_t b = 0; b < 8; b++) {
        if (!loadBlock(i, l, r, b, row)) {
            return false;
        }
    }
    return true;
}

static bool better(const Instr& i, float a, float b)
{
    bool low = i.op == oReduceMin || i.op == oWholeReduceMin || i.op == oBlockReduceMin;
    return low ? a < b : a > b;
}

// extreme finds the first lane of [from, to) that holds the extreme value; -1 when none counts.
static int extreme(const Instr& i, const Row& row, uint32_t from, uint32_t to)
{
    int best = -1;
    for (uint32_t k = from; k < to; k++) {
        if (row.on[k] && (best < 0 || better(i, row.v[k], row.v[best]))) {
            best = static_cast<int>(k);
        }
    }
    return best;
}

static uint64_t roundUp(uint64_t n, uint64_t to) { return (n + to - 1) / to * to; }

// workNeed is the size in elements of the work tensor that each form asks for.
static uint64_t workNeed(const Instr& i, const Lanes& l)
{
    uint64_t size = sizeOf(i.d.type), perRepeat = l.perRepeat, perBlock = kGrain / size;
    uint64_t n = repeats(l);
    if (i.op == oReduceSum) {
        return !k310 && l.flat ? 0 : roundUp(n, perBlock);
    }
    uint64_t first = roundUp(n * 2, perBlock);
    if (i.mode == 0) {
        return first;
    }
    uint64_t need = first;
    for (uint64_t pairs = first; pairs > perRepeat || need == first;) {
        pairs = roundUp((pairs + perRepeat - 1) / perRepeat * 2, perBlock);
        need += pairs;
        if (pairs <= perRepeat) {
            break;
        }
    }
    return n <= 1 ? first : need;
}

static bool claimWork(const Instr& i, const Lanes& l)
{
    uint64_t bytes = workNeed(i, l) * sizeOf(i.d.type);
    if (bytes == 0) {
        return true;
    }
    const Opnd& w = i.s[1];
    if (w.addr % kGrain != 0 || w.addr + bytes > w.hi) {
        report("work-size", here.line, 0, "%s needs a work tensor of %llu bytes, aligned to 32",
            opName(i.op),
            (unsigned long long)bytes);
        return false;
    }
    if (!bounds(w, w.addr, bytes, kGrain)) {
        return false;
    }
    touch(w, w.addr, bytes, kWrite);
    setTaint(w, w.addr, bytes, true);
    return true;
}

// sumRepeats folds the sums of the repeats: one after the other on 910B's count form, else as a
// tree.
static float sumRepeats(std::vector<float>& v, bool half, bool sequential, uint32_t perRepeat)
{
    if (sequential) {
        float s = v[0];
        for (size_t k = 1; k < v.size(); k++) {
            s += v[k];
            s = half ? fromHalf(toHalf(s, k310)) : s;
        }
        return s;
    }
    while (v.size() > 1) {
        std::vector<float> next;
        for (size_t at = 0; at < v.size(); at += perRepeat) {
            float row[128] = {0};
            std::copy(v.begin() + static_cast<long>(at),
                v.begin() + static_cast<long>(std::min(v.size(), at + perRepeat)), row);
            sumTree(row, perRepeat, half);
            next.push_back(row[0]);
        }
        v.swap(next);
    }
    return v[0];
}

static void execReduceSum(Instr& i, const Lanes& l)
{
    std::vector<float> sums;
    bool taint = false;
    bool half = i.d.type == F16;
    Row row;
    for (uint32_t r = 0; r < repeats(l); r++) {
        if (!loadRow(i, l, r, row)) {
            return;
        }
        taint = taint || row.taint;
        sumTree(row.v, l.perRepeat, half);
        sums.push_back(row.v[0]);
    }
    if (claimWork(i, l) && bounds(i.d, i.d.addr, sizeOf(i.d.type), sizeOf(i.d.type))) {
        storeFloat(i.d, i.d.addr, sumRepeats(sums, half, !k310 && l.flat, l.perRepeat), taint);
    }
}

static void execReduceExtreme(Instr& i, const Lanes& l)
{
    float best = 0;
    int64_t index = -1;
    bool taint = false;
    Row row;
    for (uint32_t r = 0; r < repeats(l); r++) {
        if (!loadRow(i, l, r, row)) {
            return;
        }
        taint = taint || row.taint;
        int k = extreme(i, row, 0, l.perRepeat);
        if (k >= 0 && (index < 0 || better(i, row.v[k], best))) {
            best = row.v[k];
            index = static_cast<int64_t>(r) * l.perRepeat + k;
        }
    }
    uint32_t size = sizeOf(i.d.type);
    if (i.mode != 0 && size == 2 && index > 65535) {
        report("index-range", here.line, 0, "%s: index %lld does not fit into half", opName(i.op),
            (long long)index);
        return;
    }
    if (!claimWork(i, l) || !bounds(i.d, i.d.addr, size * (i.mode != 0 ? 2 : 1), size * 2)) {
        return;
    }
    storeFloat(i.d, i.d.addr, best, taint);
    if (i.mode != 0) {
        storeIndex(i.d, i.d.addr + size, static_cast<uint32_t>(index), taint);
    }
}

static void execWholeSum(Instr& i, const Lanes& l)
{
    uint32_t size = sizeOf(i.d.type);
    Row row;
    for (uint32_t r = 0; r < l.repeat; r++) {
        uint64_t to = i.d.addr + static_cast<uint64_t>(r) * static_cast<uint64_t>(i.p[0]) * size;
        if (!loadRow(i, l, r, row) || !bounds(i.d, to, size, size)) {
            return;
        }
        sumTree(row.v, l.perRepeat, i.d.type == F16);
        storeFloat(i.d, to, row.v[0], row.taint);
    }
}

static void execWholeExtreme(Instr& i, const Lanes& l)
{
    uint32_t size = sizeOf(i.d.type);
    uint32_t unit = i.mode <= 1 ? 2 : 1;
    Row row;
    for (uint32_t r = 0; r < l.repeat; r++) {
        uint64_t to = i.d.addr
            + static_cast<uint64_t>(r) * static_cast<uint64_t>(i.p[0]) * size * unit;
        if (!loadRow(i, l, r, row) || !bounds(i.d, to, size * unit, size * unit)) {
            return;
        }
        int k = extreme(i, row, 0, l.perRepeat);
        uint32_t index = static_cast<uint32_t>(k);
        switch (i.mode) {
        case 0:
            storeFloat(i.d, to, row.v[k], row.taint);
            storeIndex(i.d, to + size, index, row.taint);
            break;
        case 1:
            storeIndex(i.d, to, index, row.taint);
            storeFloat(i.d, to + size, row.v[k], row.taint);
            break;
        case 2: storeFloat(i.d, to, row.v[k], row.taint); break;
        default: storeIndex(i.d, to, index, row.taint);
        }
    }
}

static void execBlockReduce(Instr& i, const Lanes& l)
{
    uint32_t size = sizeOf(i.d.type);
    uint32_t perBlock = kGrain / size;
    Row row;
    for (uint32_t r = 0; r < l.repeat; r++) {
        uint64_t to = i.d.addr
            + static_cast<uint64_t>(r) * static_cast<uint64_t>(i.p[0]) * 8 * size;
        if (!loadRow(i, l, r, row) || !bounds(i.d, to, 8 * size, 8 * size)) {
            return;
        }
        for (uint32_t b = 0; b < 8; b++) {
            int k = extreme(i, row, b * perBlock, (b + 1) * perBlock);
            if (k < 0) {
                continue;
            }
            float v = row.v[k];
            if (i.op == oBlockReduceSum) {
                sumTree(row.v + b * perBlock, perBlock, i.d.type == F16);
                v = row.v[b * perBlock];
            }
            storeFloat(i.d, to + b * size, v, row.taint);
        }
    }
}

static void execPairReduce(Instr& i, const Lanes& l)
{
    uint32_t size = sizeOf(i.d.type);
    Row row;
    for (uint32_t r = 0; r < l.repeat; r++) {
        uint64_t to = i.d.addr + static_cast<uint64_t>(r) * static_cast<uint64_t>(i.p[0]) * 128;
        if (!loadRow(i, l, r, row) || !bounds(i.d, to, 128, kGrain)) {
            return;
        }
        for (uint32_t k = 0; k < l.perRepeat; k += 2) {
            if (row.on[k] || row.on[k + 1]) {
                sumTree(row.v + k, 2, i.d.type == F16);
                storeFloat(i.d, to + k / 2 * size, row.v[k], row.taint);
            }
        }
    }
}

bool execReduce(Instr& i)
{
    if (i.op < oReduceSum || i.op > oPairReduceSum) {
        return false;
    }
    Lanes l;
    if (!planLanes(i, l, sizeOf(i.d.type))) {
        return true;
    }
    if (i.s[0].mem != kUB || i.d.mem != kUB) {
        report("vector-memory", here.line, 0, "%s: a vector operand does not lie in UB",
            opName(i.op));
        return true;
    }
    if (i.s[0].addr % kGrain != 0) {
        report("align", here.line, 0, "%s: source address %llu in UB is not aligned to 32 bytes",
            opName(i.op),
            (unsigned long long)i.s[0].addr);
        return true;
    }
    switch (i.op) {
    case oReduceSum: execReduceSum(i, l); break;
    case oReduceMax: case oReduceMin: execReduceExtreme(i, l); break;
    case oWholeReduceSum: execWholeSum(i, l); break;
    case oWholeReduceMax: case oWholeReduceMin: execWholeExtreme(i, l); break;
    case oPairReduceSum: execPairReduce(i, l); break;
    default: execBlockReduce(i, l);
    }
    return true;
}

} // namespace emu
