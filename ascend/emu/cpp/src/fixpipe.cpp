// The Fixpipe drain of 910B.
#include <algorithm>
#include <cmath>

#include "core.h"

namespace emu {

static float fixScale(const Instr& i, uint64_t n)
{
    uint64_t word = static_cast<uint64_t>(i.p[4]);
    bool vector = i.mode == VDEQF16 || i.mode == VREQ8 || i.mode == VQF322B8_PRE;
    if (vector) {
        memcpy(&word, pointer(i.s[1], i.s[1].addr + n * 8), 8);
    }
    return __builtin_bit_cast(float, static_cast<uint32_t>(word) & 0xffffe000u); // (1,8,10) float
}

static int32_t fixOffset(const Instr& i, uint64_t n)
{
    uint64_t word = static_cast<uint64_t>(i.p[4]);
    if (i.sources == 2) {
        memcpy(&word, pointer(i.s[1], i.s[1].addr + n * 8), 8);
    }
    int32_t off = static_cast<int32_t>(word >> 37 & 511);
    return off >= 256 ? off - 512 : off;
}

// fixElement converts one accumulator value; the result's low bytes are stored.
static uint32_t fixElement(const Instr& i, const uint8_t* s, uint64_t n)
{
    uint32_t raw;
    memcpy(&raw, s, 4);
    bool whole = i.s[0].type == I32;
    float f = whole ? static_cast<float>(static_cast<int32_t>(raw)) : __builtin_bit_cast(float,
        raw);
    bool relu = i.p[8] != 0;
    switch (i.mode) {
    case NoQuant:
        return relu && (whole ? static_cast<int32_t>(raw) < 0 : f < 0) ? 0 : raw;
    case F322F16: break;
    case F322BF16: {
        f = relu && f < 0 ? 0.0f : f;
        uint32_t b = __builtin_bit_cast(uint32_t, f);
        return f != f ? 0x7fc0u : (b + 0x7fffu + (b >> 16 & 1u)) >> 16;
    }
    default: f *= fixScale(i, n);
    }
    f = relu && f < 0 ? 0.0f : f;
    if (i.d.type == F16) {
        return toHalf(f, k310);
    }
    float q = std::nearbyint(f) + static_cast<float>(fixOffset(i, n));
    return static_cast<uint32_t>(static_cast<int32_t>(std::max(-128.0f, std::min(127.0f, q))));
}

static bool fixFits(const Instr& i)
{
    bool whole = i.s[0].type == I32;
    bool ok = false;
    switch (i.mode) {
    case NoQuant: ok = i.d.type == i.s[0].type; break;
    case F322F16: ok = !whole && i.d.type == F16; break;
    case F322BF16: ok = !whole && i.d.type == BF16; break;
    case DEQF16: case VDEQF16: ok = whole && i.d.type == F16; break;
    case REQ8: case VREQ8: ok = whole && (i.d.type == I8 || i.d.type == U8); break;
    default: ok = !whole && (i.d.type == I8 || i.d.type == U8);
    }
    bool vector = i.mode == VDEQF16 || i.mode == VREQ8 || i.mode == VQF322B8_PRE;
    ok = ok && vector == (i.sources == 2);
    if (!ok) {
        report("drain-mode", here.line, 0,
            "Fixpipe: quantPre does not fit the types or the scale argument");
    }
    if (i.p[0] < 1 || i.p[0] > 4095 || i.p[1] < 1 || (i.p[9] != 0 && i.p[0] % 16 != 0
        && i.d.type != F32 && i.d.type != I32)) {
        report("param-range", here.line, 0, "Fixpipe: nSize %lld or mSize %lld is out of range",
            (long long)i.p[0], (long long)i.p[1]);
        ok = false;
    }
    return ok;
}

static uint64_t fixTarget(const Instr& i, uint64_t m, uint64_t n)
{
    uint64_t size = sizeOf(i.d.type);
    if (i.p[9] != 0) {
        return i.d.addr + (m * static_cast<uint64_t>(i.p[3]) + n) * size;
    }
    uint64_t c0 = size == 1 ? 32 : 16;
    return i.d.addr + n / c0 * static_cast<uint64_t>(i.p[3]) * 32 + (m * c0 + n % c0) * size;
}

static void fixRun(const Instr& i, uint64_t m, uint64_t n, uint64_t count)
{
    uint64_t size = sizeOf(i.d.type);
    uint64_t from = i.s[0].addr + (n / 16 * static_cast<uint64_t>(i.p[2]) * 16 + m * 16
        + n % 16) * 4;
    uint64_t to = fixTarget(i, m, n);
    bool adds = i.atomic != 0;
    if (!bounds(i.s[0], from, count * 4, 4) || !bounds(i.d, to, count * size, 1)) {
        return;
    }
    touch(i.s[0], from, count * 4, kRead);
    touch(i.d, to, count * size, adds ? kAtomic : kWrite);
    for (uint64_t k = 0; k < count; k++) {
        uint32_t v = fixElement(i, pointer(i.s[0], from + k * 4), n + k);
        uint8_t* d = pointer(i.d, to + k * size);
        if (adds && i.d.type == F32) {
            float a = element(F32, d) + __builtin_bit_cast(float, v);
            memcpy(d, &a, 4);
        } else if (adds && i.d.type == I32) {
            uint32_t a;
            memcpy(&a, d, 4);
            a += v;
            memcpy(d, &a, 4);
        } else if (adds) {
            float a = element(i.d.type, d) + (i.d.type == F16 ? fromHalf(static_cast<uint16_t>(v))
                : 0.0f);
            uint16_t h = toHalf(a, k310);
            memcpy(d, &h, 2);
        } else {
            memcpy(d, &v, size);
        }
        if (run->checks) {
            bool bad = tainted(i.s[0], from + k * 4, 4);
            if (bad || !adds) {
                setTaint(i.d, to + k * size, size, bad);
            }
        }
    }
    storeCheck(i.d, to, count * size);
}

void execFixpipe(Instr& i)
{
    if (i.s[0].mem != kL0C || (i.d.mem != kGM && i.d.mem != kL1)) {
        report("path", here.line, 0, "Fixpipe goes from L0C to global memory");
        return;
    }
    if (!fixFits(i)) {
        return;
    }
    uint64_t n = static_cast<uint64_t>(i.p[0]);
    if (i.sources == 2) {
        if (!bounds(i.s[1], i.s[1].addr, n * 8, 32)) {
            return;
        }
        touch(i.s[1], i.s[1].addr, n * 8, kRead);
    }
    for (uint64_t m = 0; m < static_cast<uint64_t>(i.p[1]); m++) {
        for (uint64_t c = 0; c < n; c += 16) {
            fixRun(i, m, c, std::min<uint64_t>(16, n - c));
        }
    }
}

} // namespace emu
