// Copies between memories.
#include <algorithm>

#include "core.h"

namespace emu {

static uint32_t alignOf(const Opnd& o)
{
    switch (o.mem) {
    case kGM: return sizeOf(o.type);
    case kL0A: case kL0B: return 512;
    case kL0C: return 64;
    default: return 32;
    }
}

static float addHalf(float a, float b) { return fromHalf(toHalf(a + b, k310)); }

template <typename T> static void accumulate(uint8_t* d, const uint8_t* s, uint64_t n)
{
    for (uint64_t k = 0; k + sizeof(T) <= n; k += sizeof(T)) {
        T a, b;
        memcpy(&a, d + k, sizeof(T));
        memcpy(&b, s + k, sizeof(T));
        a = static_cast<T>(a + b);
        memcpy(d + k, &a, sizeof(T));
    }
}

static void accumulateHalf(uint8_t* d, const uint8_t* s, uint64_t n)
{
    for (uint64_t k = 0; k < n; k += 2) {
        uint16_t a, b;
        memcpy(&a, d + k, 2);
        memcpy(&b, s + k, 2);
        a = toHalf(addHalf(fromHalf(a), fromHalf(b)), k310);
        memcpy(d + k, &a, 2);
    }
}

static void addBytes(DType t, uint8_t* d, const uint8_t* s, uint64_t n)
{
    switch (t) {
    case F32: accumulate<float>(d, s, n); break;
    case F16: accumulateHalf(d, s, n); break;
    case I16: accumulate<int16_t>(d, s, n); break;
    case I8: accumulate<int8_t>(d, s, n); break;
    default: accumulate<uint32_t>(d, s, n);
    }
}

// transfer moves one burst and everything that goes with it: accesses, taint, traffic, output
// check.
static void transfer(const Instr& i, uint64_t to, uint64_t from, uint64_t bytes)
{
    bool adds = i.atomic != 0 && i.d.mem == kGM;
    touch(i.s[0], from, bytes, kRead);
    touch(i.d, to, bytes, adds ? kAtomic : kWrite);
    copyTaint(i.d, to, i.s[0], from, bytes, adds);
    if (adds) {
        addBytes(static_cast<DType>(i.atomic - 1), pointer(i.d, to), pointer(i.s[0], from), bytes);
    } else {
        memmove(pointer(i.d, to), pointer(i.s[0], from), bytes);
    }
    if (i.d.mem == kGM) {
        storeCheck(i.d, to, bytes);
    }
}

static bool pathExists(const Instr& i)
{
    Mem d = i.d.mem, s = i.s[0].mem;
    bool ok = (s == kGM && (d == kUB || d == kL1)) || (s == kUB && (d == kGM || d == kL1
        || d == kUB)) ||
        (!k310 && s == kL1 && (d == kBT || d == kFB || d == kGM)) || (k310 && s == kL1 && d == kUB);
    if (!ok) {
        report("path", here.line, 0, "DataCopy: there is no path from %s to %s on this chip",
            memName(s),
            memName(d));
    }
    return ok;
}

static bool rangesFit(const Instr& i)
{
    if (i.p[5] != 0) { // the count form
        if (i.p[4] != 0) {
            report("copy-truncates", here.line, 0,
                "DataCopy of a count that is not a multiple of 32 bytes drops the last %lld bytes",
                (long long)i.p[4]);
        }
        if (i.p[1] == 0) {
            report("zero-count", here.line, 0, "DataCopy of less than 32 bytes copies nothing");
        }
        return i.p[1] != 0;
    }
    if (i.p[0] < 1 || i.p[0] > 4095) {
        report(i.p[0] == 0 ? "zero-count" : "param-range", here.line, 0,
            "DataCopy: blockCount %lld is not in 1 to 4095", (long long)i.p[0]);
        return false;
    }
    if (i.p[1] < 1) {
        report("zero-count", here.line, 0, "DataCopy: blockLen is 0");
        return false;
    }
    return true;
}

static void execCopy(Instr& i)
{
    if (!pathExists(i) || !rangesFit(i)) {
        return;
    }
    uint64_t len = static_cast<uint64_t>(i.p[1]) * 32;
    uint64_t sStep = len + static_cast<uint64_t>(i.p[2]) * 32, dStep = len
        + static_cast<uint64_t>(i.p[3]) * 32;
    uint64_t n = static_cast<uint64_t>(i.p[0]);
    if (!bounds(i.s[0], i.s[0].addr, (n - 1) * sStep + len, alignOf(i.s[0])) ||
        !bounds(i.d, i.d.addr, (n - 1) * dStep + len, alignOf(i.d))) {
        return;
    }
    for (uint64_t k = 0; k < n; k++) {
        transfer(i, i.d.addr + k * dStep, i.s[0].addr + k * sStep, len);
    }
}

// ---- 910B: copies of any number of bytes

static void padBurst(const Instr& i, uint64_t to, uint64_t from, uint64_t len)
{
    uint32_t size = sizeOf(i.d.type);
    uint64_t left = i.p[4] != 0 ? static_cast<uint64_t>(i.p[5]) * size : 0;
    uint64_t right = i.p[4] != 0 ? static_cast<uint64_t>(i.p[6]) * size : 0;
    uint64_t used = left + len + right, whole = (used + 31) / 32 * 32;
    touch(i.d, to, whole, kWrite);
    setTaint(i.d, to, whole, true);
    memset(pointer(i.d, to), 0x7e, whole);
    for (uint64_t k = 0; k < left + right; k += size) {
        uint64_t at = k < left ? k : len + k;
        memcpy(pointer(i.d, to) + at, &i.scalar, size);
        setTaint(i.d, to + at, size, false);
    }
    touch(i.s[0], from, len, kRead);
    copyTaint(i.d, to + left, i.s[0], from, len, false);
    memcpy(pointer(i.d, to + left), pointer(i.s[0], from), len);
}

static void execPad(Instr& i)
{
    bool in = i.d.mem == kUB;
    uint64_t n = static_cast<uint64_t>(i.p[0]), len = static_cast<uint64_t>(i.p[1]);
    if (n < 1 || n > 4095 || len < 1 || len > 2097151) {
        report(n == 0 || len == 0 ? "zero-count" : "param-range", here.line, 0,
            "DataCopyPad: blockCount %llu or blockLen %llu is out of range", (unsigned long long)n,
            (unsigned long long)len);
        return;
    }
    uint64_t pads = i.p[4] != 0 ? static_cast<uint64_t>(i.p[5] + i.p[6]) * sizeOf(i.d.type) : 0;
    if (i.p[4] != 0 && (i.p[5] * sizeOf(i.d.type) > 32 || i.p[6] * sizeOf(i.d.type) > 32)) {
        report("param-range", here.line, 0, "DataCopyPad: a padding is larger than 32 bytes");
        return;
    }
    uint64_t room = (len + pads + 31) / 32 * 32;
    uint64_t sStep = in ? len + static_cast<uint64_t>(i.p[2]) : room
        + static_cast<uint64_t>(i.p[2]) * 32;
    uint64_t dStep = in ? room + static_cast<uint64_t>(i.p[3]) * 32 : len
        + static_cast<uint64_t>(i.p[3]);
    if (!bounds(i.s[0], i.s[0].addr, (n - 1) * sStep + len, alignOf(i.s[0])) ||
        !bounds(i.d, i.d.addr, (n - 1) * dStep + (in ? room : len), alignOf(i.d))) {
        return;
    }
    for (uint64_t k = 0; k < n; k++) {
        if (in) {
            padBurst(i, i.d.addr + k * dStep, i.s[0].addr + k * sStep, len);
        } else {
            transfer(i, i.d.addr + k * dStep, i.s[0].addr + k * sStep, len);
        }
    }
}

static void nzRow(const Instr& i, uint64_t src, uint64_t dst, uint64_t n)
{
    uint64_t size = sizeOf(i.d.type), c0 = 32 / size, d = static_cast<uint64_t>(i.p[2]);
    for (uint64_t c = 0; c < d; c += c0) {
        uint64_t count = std::min(c0, d - c) * size;
        uint64_t to = dst + (c / c0 * static_cast<uint64_t>(i.p[5])
            + n * static_cast<uint64_t>(i.p[6])) * 32;
        if (!bounds(i.s[0], src + c * size, count, 1) || !bounds(i.d, to, 32, 32)) {
            return;
        }
        if (count < 32) { // the rest of the last block is filled with zeros
            touch(i.d, to, 32, kWrite);
            setTaint(i.d, to, 32, false);
            memset(pointer(i.d, to), 0, 32);
        }
        transfer(i, to, src + c * size, count);
    }
}

static void execNd2Nz(Instr& i)
{
    uint64_t size = sizeOf(i.d.type);
    bool ranges = i.p[0] >= 1 && i.p[0] <= 4095 && i.p[1] >= 1 && i.p[1] <= 16384 && i.p[2] >= 1 &&
        i.p[5] >= 1 && i.p[5] <= 16384 && i.p[6] >= 1 && i.p[6] <= 16384;
    if (!ranges || i.d.mem != kL1) {
        report("param-range", here.line, 0,
            "DataCopy with Nd2NzParams: a parameter is out of range");
        return;
    }
    for (uint64_t m = 0; m < static_cast<uint64_t>(i.p[0]); m++) {
        for (uint64_t n = 0; n < static_cast<uint64_t>(i.p[1]); n++) {
            uint64_t src = i.s[0].addr + (m * static_cast<uint64_t>(i.p[3])
                + n * static_cast<uint64_t>(i.p[4])) * size;
            nzRow(i, src, i.d.addr + m * static_cast<uint64_t>(i.p[7]) * size, n);
        }
    }
}

// ---- 310P: out of the accumulator, and a vector broadcast into it

// drainScale gives the factor of column c for the scaling modes.
static float drainScale(const Instr& i, uint64_t burst, uint32_t c)
{
    switch (static_cast<AscendC::DeqScale>(i.mode)) {
    case AscendC::DeqScale::DEQ: return fromHalf(static_cast<uint16_t>(i.p[4]));
    case AscendC::DeqScale::DEQ16: return fromBits<float>(static_cast<uint64_t>(i.p[4]));
    default: break;
    }
    Opnd table;
    table.hi = chip.size[kUB];
    bool wide = i.mode == static_cast<uint8_t>(AscendC::DeqScale::VDEQ16);
    uint64_t at = static_cast<uint64_t>(i.p[5]) + burst * (wide ? 128 : 32) + c * (wide ? 8 : 2);
    float f;
    memcpy(&f, pointer(table, at), 4);
    uint16_t h;
    memcpy(&h, pointer(table, at), 2);
    return wide ? f : fromHalf(h);
}

static bool scaleTable(const Instr& i, bool* taint)
{
    bool vector = i.mode == static_cast<uint8_t>(AscendC::DeqScale::VDEQ16) ||
        i.mode == static_cast<uint8_t>(AscendC::DeqScale::VDEQ);
    if (!vector) {
        return true;
    }
    Opnd table;
    table.hi = chip.size[kUB];
    uint64_t each = i.mode == static_cast<uint8_t>(AscendC::DeqScale::VDEQ16) ? 128 : 32;
    uint64_t bytes = static_cast<uint64_t>(i.p[0]) * each;
    if (!bounds(table, static_cast<uint64_t>(i.p[5]), bytes, 32)) {
        return false;
    }
    touch(table, static_cast<uint64_t>(i.p[5]), bytes, kRead);
    *taint = run->checks && tainted(table, static_cast<uint64_t>(i.p[5]), bytes);
    return true;
}

static uint16_t drainWord(const Instr& i, const uint8_t* s, uint64_t burst, uint32_t c)
{
    int32_t v;
    memcpy(&v, s, 4);
    if (i.d.type == I16) {
        int32_t shifted = v >> ((static_cast<uint64_t>(i.p[4]) >> 32 & 15) + 1);
        return static_cast<uint16_t>(std::max(-32768, std::min(32767, shifted)));
    }
    float f = i.s[0].type == F32 ? fromBits<float>(static_cast<uint32_t>(v))
                                 : static_cast<float>(v) * drainScale(i, burst, c);
    return toHalf(i.p[6] != 0 && f < 0 ? 0.0f : f, k310);
}

// drainFractal moves one 16x16 fractal, converting as the mode says.
static void drainFractal(const Instr& i, uint64_t to, uint64_t from, uint64_t burst, bool taint)
{
    uint32_t a = sizeOf(i.s[0].type), b = sizeOf(i.d.type);
    touch(i.s[0], from, 256 * a, kRead);
    touch(i.d, to, 256 * b, kWrite);
    const uint8_t* s = pointer(i.s[0], from);
    uint8_t* d = pointer(i.d, to);
    if (a == b) {
        copyTaint(i.d, to, i.s[0], from, 256 * a, false);
        memcpy(d, s, 256 * a);
        return;
    }
    bool any = run->checks && tainted(i.s[0], from, 256 * a);
    setTaint(i.d, to, 256 * b, taint);
    for (uint32_t k = 0; k < 256; k++) {
        uint16_t w = drainWord(i, s + k * a, burst, k % 16);
        memcpy(d + k * 2, &w, 2);
        if (any && tainted(i.s[0], from + k * a, a)) {
            setTaint(i.d, to + k * 2, 2, true);
        }
    }
}

static bool drainMode(const Instr& i)
{
    using D = AscendC::DeqScale;
    D m = static_cast<D>(i.mode);
    bool scaled = i.s[0].type == I32 && i.d.type != I32;
    bool ok = scaled ? m == D::DEQ || m == D::VDEQ || m == D::DEQ16 || m == D::VDEQ16
        : m == D::DEQ_NONE;
    if (!ok) {
        report("drain-mode", here.line, 0,
            "DataCopy out of L0C: this deqScale does not fit these types");
    }
    bool unit = i.p[7] == static_cast<int64_t>(AscendC::BlockMode::BLOCK_MODE_MATRIX);
    if (!unit) {
        report("drain-mode", here.line, 0, "DataCopy out of L0C needs BLOCK_MODE_MATRIX");
    }
    return ok && unit;
}

static void execDrain(Instr& i)
{
    if (i.s[0].mem != kL0C || i.d.mem != kUB) {
        report("path", here.line, 0, "DataCopy with enhanced parameters goes from L0C to UB");
        return;
    }
    bool taint = false;
    if (!drainMode(i) || !rangesFit(Instr(i)) || !scaleTable(i, &taint)) {
        return;
    }
    uint64_t a = 256ull * sizeOf(i.s[0].type), b = 256ull * sizeOf(i.d.type);
    uint64_t n = static_cast<uint64_t>(i.p[0]), len = static_cast<uint64_t>(i.p[1]);
    uint64_t sStep = (len + static_cast<uint64_t>(i.p[2])) * a;
    uint64_t dStep = len * b + static_cast<uint64_t>(i.p[3]) * 32;
    if (!bounds(i.s[0], i.s[0].addr, (n - 1) * sStep + len * a, 64) ||
        !bounds(i.d, i.d.addr, (n - 1) * dStep + len * b, 32)) {
        return;
    }
    for (uint64_t k = 0; k < n; k++) {
        for (uint64_t f = 0; f < len; f++) {
            drainFractal(i, i.d.addr + k * dStep + f * b, i.s[0].addr + k * sStep + f * a, k,
                taint);
        }
    }
}

static void execBroadcast(Instr& i)
{
    uint64_t size = sizeOf(i.d.type), row = 16 * size;
    uint64_t n = static_cast<uint64_t>(i.p[0]), len = static_cast<uint64_t>(i.p[1]);
    if (n < 1 || n > 255 || len < 1) {
        report(n == 0 || len == 0 ? "zero-count" : "param-range", here.line, 0,
            "BroadCastVecToMM: blockCount and blockLen are 1 to 255");
        return;
    }
    uint64_t sStep = len * row + static_cast<uint64_t>(i.p[2]) * 32;
    uint64_t dStep = (len + static_cast<uint64_t>(i.p[3])) * 16 * row;
    if (i.s[0].mem != kUB || i.d.mem != kL0C) {
        report("path", here.line, 0, "BroadCastVecToMM goes from UB to L0C");
        return;
    }
    if (!bounds(i.s[0], i.s[0].addr, (n - 1) * sStep + len * row, 32) ||
        !bounds(i.d, i.d.addr, (n - 1) * dStep + len * 16 * row, static_cast<uint32_t>(16 * row))) {
        return;
    }
    for (uint64_t k = 0; k < n * len * 16; k++) {
        uint64_t burst = k / 16 / len, group = k / 16 % len;
        transfer(i, i.d.addr + burst * dStep + (group * 16 + k % 16) * row,
            i.s[0].addr + burst * sStep + group * row, row);
    }
}

void execMove(Instr& i)
{
    switch (i.op) {
    case oDataCopy: execCopy(i); break;
    case oDataCopyPad: execPad(i); break;
    case oDataCopyNd2Nz: execNd2Nz(i); break;
    case oDataCopyL0C: execDrain(i); break;
    default: execBroadcast(i);
    }
}

} // namespace emu
