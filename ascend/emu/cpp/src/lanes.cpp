// Element-wise arithmetic.
#include "lanes.h"

#include <cfloat>
#include <cmath>

namespace emu {

template <typename T> static T scalarOf(const Instr& i) { return fromBits<T>(i.scalar); }

static inline float settle(float v)
{
    if (!k310) {
        return v;
    }
    v = v != v ? 0.0f : v;
    return v > FLT_MAX ? FLT_MAX : v < -FLT_MAX ? -FLT_MAX : v;
}

// coarse drops the low bits of an approximation: Reciprocal and Rsqrt miss 1e-3 (half), 1e-4
// (float).
static inline float coarse(float v, bool half)
{
    uint32_t b = __builtin_bit_cast(uint32_t, v);
    return __builtin_bit_cast(float, b & (half ? 0xffffc000u : 0xfffff800u));
}

template <typename F> static void each(float* d, size_t n, F f)
{
    for (size_t k = 0; k < n; k++) {
        d[k] = f(k);
    }
}

// floats computes in float; the caller rounds the result where the tensor is half.
static bool floats(const Instr& i, float* d, const float* a, const float* b, float s, size_t n)
{
    bool half = i.d.type == F16;
    switch (i.op) {
    case oAdd: each(d, n, [=](size_t k) { return a[k] + b[k]; }); break;
    case oSub: each(d, n, [=](size_t k) { return a[k] - b[k]; }); break;
    case oMul: each(d, n, [=](size_t k) { return a[k] * b[k]; }); break;
    case oDiv: each(d, n, [=](size_t k) { return a[k] / b[k]; }); break;
    case oMax: each(d, n, [=](size_t k) { return a[k] > b[k] ? a[k] : b[k]; }); break;
    case oMin: each(d, n, [=](size_t k) { return a[k] < b[k] ? a[k] : b[k]; }); break;
    case oAddRelu: each(d, n, [=](size_t k) { float v = a[k] + b[k]; return v > 0 ? v : 0.0f; });
        break;
    case oMulAddDst: each(d, n, [=](size_t k) { return std::fma(a[k], b[k], d[k]); }); break;
    case oFusedMulAdd: each(d, n, [=](size_t k) { return std::fma(a[k], d[k], b[k]); }); break;
    case oAdds: each(d, n, [=](size_t k) { return a[k] + s; }); break;
    case oMuls: each(d, n, [=](size_t k) { return a[k] * s; }); break;
    case oMaxs: each(d, n, [=](size_t k) { return a[k] > s ? a[k] : s; }); break;
    case oMins: each(d, n, [=](size_t k) { return a[k] < s ? a[k] : s; }); break;
    case oLeakyRelu: each(d, n, [=](size_t k) { return a[k] >= 0 ? a[k] : a[k] * s; }); break;
    case oAxpy: each(d, n, [=](size_t k) { return std::fma(a[k], s, d[k]); }); break;
    case oExp: each(d, n, [=](size_t k) { return (float)std::exp((double)a[k]); }); break;
    case oLn: each(d, n, [=](size_t k) { return (float)std::log((double)a[k]); }); break;
    case oSqrt: each(d, n, [=](size_t k) { return std::sqrt(a[k]); }); break;
    case oRsqrt: each(d, n, [=](size_t k) { return coarse((float)(1.0 / std::sqrt((double)a[k])),
        half); }); break;
    case oReciprocal: each(d, n, [=](size_t k) { return coarse(1.0f / a[k], half); }); break;
    case oAbs: each(d, n, [=](size_t k) { return std::fabs(a[k]); }); break;
    case oRelu: each(d, n, [=](size_t k) { return a[k] > 0 ? a[k] : 0.0f; }); break;
    case oCreateVecIndex: each(d, n, [=](size_t k) { return s + (float)k; }); break;
    default: return false;
    }
    return true;
}

template <typename T, typename U>
static bool integers(const Instr& i, T* d, const T* a, const T* b, size_t n)
{
    T s = scalarOf<T>(i);
    auto loop = [&](auto f) {
        for (size_t k = 0; k < n; k++) {
            d[k] = static_cast<T>(f(k));
        }
    };
    switch (i.op) {
    case oAdd: loop([=](size_t k) { return (U)a[k] + (U)b[k]; }); break;
    case oSub: loop([=](size_t k) { return (U)a[k] - (U)b[k]; }); break;
    case oMul: loop([=](size_t k) { return (uint32_t)a[k] * (uint32_t)b[k]; }); break;
    case oMax: loop([=](size_t k) { return a[k] > b[k] ? a[k] : b[k]; }); break;
    case oMin: loop([=](size_t k) { return a[k] < b[k] ? a[k] : b[k]; }); break;
    case oAnd: loop([=](size_t k) { return a[k] & b[k]; }); break;
    case oOr: loop([=](size_t k) { return a[k] | b[k]; }); break;
    case oNot: loop([=](size_t k) { return ~a[k]; }); break;
    case oAddRelu: loop([=](size_t k) { T v = (T)((U)a[k] + (U)b[k]); return v > 0 ? v : (T)0; });
        break;
    case oAdds: loop([=](size_t k) { return (U)a[k] + (U)s; }); break;
    case oMuls: loop([=](size_t k) { return (uint32_t)a[k] * (uint32_t)s; }); break;
    case oMaxs: loop([=](size_t k) { return a[k] > s ? a[k] : s; }); break;
    case oMins: loop([=](size_t k) { return a[k] < s ? a[k] : s; }); break;
    case oShiftLeft: loop([=](size_t k) { return (U)a[k] << s; }); break;
    case oShiftRight: loop([=](size_t k) { return a[k] >> s; }); break;
    case oCreateVecIndex: loop([=](size_t k) { return (U)s + (U)k; }); break;
    default: return false;
    }
    return true;
}

static void halves(const Instr& i, uint16_t* d, const uint16_t* a, const uint16_t* b, size_t n)
{
    float fd[kChunk], fa[kChunk], fb[kChunk];
    float s = fromHalf(static_cast<uint16_t>(i.scalar));
    bool reads = i.op == oAxpy || i.op == oMulAddDst || i.op == oFusedMulAdd;
    for (size_t at = 0; at < n; at += kChunk) {
        size_t m = n - at < kChunk ? n - at : kChunk;
        if (a != nullptr) {
            widen(fa, a + at, m);
        }
        if (b != nullptr) {
            widen(fb, b + at, m);
        }
        if (reads) {
            widen(fd, d + at, m);
        }
        float first = i.op == oCreateVecIndex ? s + static_cast<float>(at) : s;
        floats(i, fd, fa, fb, first, m);
        narrow(d + at, fd, m);
    }
}

// mixed is the float destination with half sources of Axpy and MulAddDst.
static void mixed(const Instr& i, float* d, const uint16_t* a, const uint16_t* b, size_t n)
{
    float fa[kChunk], fb[kChunk];
    float s = fromHalf(static_cast<uint16_t>(i.scalar));
    for (size_t at = 0; at < n; at += kChunk) {
        size_t m = n - at < kChunk ? n - at : kChunk;
        widen(fa, a + at, m);
        if (b != nullptr) {
            widen(fb, b + at, m);
        }
        floats(i, d + at, fa, fb, s, m);
        for (size_t k = 0; k < m; k++) {
            d[at + k] = settle(d[at + k]);
        }
    }
}

static void fill(const Instr& i, uint8_t* d, size_t n)
{
    uint32_t size = sizeOf(i.d.type);
    for (size_t k = 0; k < n; k++) {
        memcpy(d + k * size, &i.scalar, size);
    }
}

void elementwise(const Instr& i, uint8_t* d, const uint8_t* s0, const uint8_t* s1, size_t n)
{
    if (i.op == oDuplicate) {
        fill(i, d, n);
        return;
    }
    if (i.op == oCopy) {
        memmove(d, s0, n * sizeOf(i.d.type));
        return;
    }
    if (i.op == oCast) {
        castLanes(i, d, s0, n);
        return;
    }
    auto f = [](const uint8_t* p) { return reinterpret_cast<const float*>(p); };
    auto h = [](const uint8_t* p) { return reinterpret_cast<const uint16_t*>(p); };
    if (i.d.type == F32 && i.sources > 0 && i.s[0].type == F16) {
        mixed(i, reinterpret_cast<float*>(d), h(s0), i.sources > 1 ? h(s1) : nullptr, n);
        return;
    }
    switch (i.d.type) {
    case F32: {
        float* out = reinterpret_cast<float*>(d);
        floats(i, out, f(s0), f(s1), scalarOf<float>(i), n);
        for (size_t k = 0; k < n && k310; k++) {
            out[k] = settle(out[k]);
        }
        break;
    }
    case F16:
        halves(i, reinterpret_cast<uint16_t*>(d), h(s0), i.sources > 1 ? h(s1) : nullptr, n);
        break;
    case I16:
        integers<int16_t, uint32_t>(i, reinterpret_cast<int16_t*>(d),
            reinterpret_cast<const int16_t*>(s0), reinterpret_cast<const int16_t*>(s1), n);
        break;
    case U16:
        integers<uint16_t, uint32_t>(i, reinterpret_cast<uint16_t*>(d), h(s0), h(s1), n);
        break;
    case U32:
        integers<uint32_t, uint32_t>(i, reinterpret_cast<uint32_t*>(d),
            reinterpret_cast<const uint32_t*>(s0), reinterpret_cast<const uint32_t*>(s1), n);
        break;
    default:
        integers<int32_t, uint32_t>(i, reinterpret_cast<int32_t*>(d),
            reinterpret_cast<const int32_t*>(s0), reinterpret_cast<const int32_t*>(s1), n);
    }
}

// sumTree adds adjacent pairs until one is left; n is a power of two. Half sums round at every
// level.
void sumTree(float* v, size_t n, bool half)
{
    for (; n > 1; n /= 2) {
        for (size_t k = 0; k < n / 2; k++) {
            float s = v[2 * k] + v[2 * k + 1];
            v[k] = half ? fromHalf(toHalf(s, k310)) : settle(s);
        }
    }
}

} // namespace emu
