// Conversions between element types, with the rounding modes each chip takes.
#include "lanes.h"

#include <cmath>

namespace emu {

enum { kNone = 1, kRint = 2, kFloor = 4, kCeil = 8, kRound = 16, kTrunc = 32, kOdd = 64 };
constexpr int kFive = kRint | kFloor | kCeil | kRound | kTrunc;

// castModes is the table of rounding modes each chip takes for a pair of types.
static int castModes(DType from, DType to)
{
    auto pair = [=](DType a, DType b) { return from == a && to == b; };
    if (pair(I8, F16) || pair(U8, F16) || pair(F16, F32) || pair(I32, I16)) {
        return kNone;
    }
    if (pair(I16, F16)) {
        return k310 ? kNone : kFive | kNone;
    }
    if (pair(F16, I8) || pair(F16, U8)) {
        return (kFive & ~(k310 ? kRint : 0)) | kNone;
    }
    if (pair(F16, I16)) {
        return k310 ? kRint : kFive;
    }
    if (pair(F16, I32) || pair(F32, I32)) {
        return kFive;
    }
    if (pair(F32, F16)) {
        return k310 ? kNone | kOdd : kFive | kOdd | kNone;
    }
    if (pair(I32, F32)) {
        return k310 ? kNone : kFive | kNone;
    }
    if (pair(I32, F16)) {
        return ~0;
    }
    if (pair(BF16, F32) || pair(I16, F32) || pair(I32, I64)) {
        return kNone;
    }
    if (pair(I64, I32)) {
        return kNone;
    }
    return kFive;
}

bool castAllowed(const Instr& i)
{
    static const char* const names[] = {"CAST_NONE", "CAST_RINT", "CAST_FLOOR", "CAST_CEIL",
        "CAST_ROUND", "CAST_TRUNC", "CAST_ODD"};
    static const char* const types[] = {"int8", "uint8", "int16", "uint16", "half", "bfloat16",
        "int32",
        "uint32", "float", "int64", "uint64"};
    if (i.mode < 7 && (castModes(i.s[0].type, i.d.type) >> i.mode & 1) != 0) {
        return true;
    }
    report("cast-mode", here.line, 0, "Cast of %s to %s does not take %s on this chip",
        types[i.s[0].type],
        types[i.d.type], i.mode < 7 ? names[i.mode] : "this mode");
    return false;
}

static double roundTo(double v, uint8_t mode)
{
    switch (static_cast<AscendC::RoundMode>(mode)) {
    case AscendC::RoundMode::CAST_FLOOR: return std::floor(v);
    case AscendC::RoundMode::CAST_CEIL: return std::ceil(v);
    case AscendC::RoundMode::CAST_ROUND: return std::round(v);
    case AscendC::RoundMode::CAST_TRUNC: return std::trunc(v);
    default: return std::nearbyint(v);
    }
}

static double loadLane(DType t, const uint8_t* p)
{
    switch (t) {
    case I8: return *reinterpret_cast<const int8_t*>(p);
    case U8: return *p;
    case I16: return *reinterpret_cast<const int16_t*>(p);
    case U16: return *reinterpret_cast<const uint16_t*>(p);
    case F16: return fromHalf(*reinterpret_cast<const uint16_t*>(p));
    case BF16: return __builtin_bit_cast(float,
        (uint32_t)*reinterpret_cast<const uint16_t*>(p) << 16);
    case I32: return *reinterpret_cast<const int32_t*>(p);
    case U32: return *reinterpret_cast<const uint32_t*>(p);
    case F32: return *reinterpret_cast<const float*>(p);
    default: return static_cast<double>(*reinterpret_cast<const int64_t*>(p));
    }
}

static int64_t toInteger(double v, uint8_t mode, double lo, double hi)
{
    if (v != v) {
        return 0;
    }
    v = roundTo(v, mode);
    return v <= lo ? static_cast<int64_t>(lo) : v >= hi ? static_cast<int64_t>(hi)
        : static_cast<int64_t>(v);
}

// toFloatGrid rounds v to `drop` fewer mantissa bits than float has, by a directed mode.
static float toFloatGrid(float v, uint8_t mode, int drop)
{
    uint32_t b = __builtin_bit_cast(uint32_t, v);
    if ((b & 0x7f800000u) == 0x7f800000u) {
        return v;
    }
    uint32_t low = b & ((1u << drop) - 1u);
    uint32_t down = b - low;
    if (low == 0) {
        return v;
    }
    bool up = false;
    bool negative = (b >> 31) != 0;
    uint32_t halfway = 1u << (drop - 1);
    switch (static_cast<AscendC::RoundMode>(mode)) {
    case AscendC::RoundMode::CAST_FLOOR: up = negative; break;
    case AscendC::RoundMode::CAST_CEIL: up = !negative; break;
    case AscendC::RoundMode::CAST_ROUND: up = low >= halfway; break;
    case AscendC::RoundMode::CAST_TRUNC: break;
    case AscendC::RoundMode::CAST_ODD:
        return __builtin_bit_cast(float, down | (1u << drop));
    default: up = low > halfway || (low == halfway && (down >> drop & 1u) != 0);
    }
    return __builtin_bit_cast(float, down + (up ? 1u << drop : 0));
}

static uint16_t halfByMode(float v, uint8_t mode)
{
    if (mode <= 1) {
        return toHalf(v, k310);
    }
    // Below the smallest normal half the grid is fixed: shift the value so that the float grid
    // matches.
    if (std::fabs(v) < 6.103515625e-05f) {
        float scaled = static_cast<float>(roundTo(v * 16777216.0, mode));
        if (static_cast<AscendC::RoundMode>(mode) == AscendC::RoundMode::CAST_ODD) {
            double t = std::trunc(v * 16777216.0);
            bool exact = t == v * 16777216.0;
            scaled = static_cast<float>(exact || std::fmod(t, 2.0) != 0 ? t : t + (v < 0 ? -1 : 1));
        }
        return toHalf(scaled / 16777216.0f, k310);
    }
    return toHalf(toFloatGrid(v, mode, 13), k310);
}

static void storeLane(const Instr& i, uint8_t* p, double v)
{
    uint8_t m = i.mode;
    switch (i.d.type) {
    case I8: *reinterpret_cast<int8_t*>(p) = (int8_t)toInteger(v, m, -128, 127); break;
    case U8: *p = (uint8_t)toInteger(v, m, 0, 255); break;
    case I16: *reinterpret_cast<int16_t*>(p) = (int16_t)toInteger(v, m, -32768, 32767); break;
    case I32:
        *reinterpret_cast<int32_t*>(p) = (int32_t)toInteger(v, m, -2147483648.0, 2147483647.0);
        break;
    case I64: *reinterpret_cast<int64_t*>(p) = toInteger(v, m, -9.2e18, 9.2e18); break;
    case F16: *reinterpret_cast<uint16_t*>(p) = halfByMode((float)v, m); break;
    case BF16: {
        float f = toFloatGrid((float)v, m, 16);
        *reinterpret_cast<uint16_t*>(p) = (uint16_t)(__builtin_bit_cast(uint32_t, f) >> 16);
        break;
    }
    default: *reinterpret_cast<float*>(p) = (float)v;
    }
}

static void dequantLanes(const Instr& i, uint16_t* d, const int32_t* s, size_t n)
{
    float scale = fromHalf(static_cast<uint16_t>(i.scalar));
    for (size_t k = 0; k < n; k++) {
        d[k] = toHalf(static_cast<float>(s[k]) * scale, k310);
    }
}

void castLanes(const Instr& i, uint8_t* d, const uint8_t* s, size_t n)
{
    DType from = i.s[0].type, to = i.d.type;
    if (from == F16 && to == F32) {
        widen(reinterpret_cast<float*>(d), reinterpret_cast<const uint16_t*>(s), n);
        return;
    }
    if (from == F32 && to == F16 && i.mode <= 1) {
        narrow(reinterpret_cast<uint16_t*>(d), reinterpret_cast<const float*>(s), n);
        return;
    }
    if (from == I32 && to == F16) {
        dequantLanes(i, reinterpret_cast<uint16_t*>(d), reinterpret_cast<const int32_t*>(s), n);
        return;
    }
    if (from == I32 && to == F32 && i.mode <= 1) {
        const int32_t* in = reinterpret_cast<const int32_t*>(s);
        for (size_t k = 0; k < n; k++) {
            reinterpret_cast<float*>(d)[k] = static_cast<float>(in[k]);
        }
        return;
    }
    uint32_t a = sizeOf(from), b = sizeOf(to);
    for (size_t k = 0; k < n; k++) {
        storeLane(i, d + k * b, loadLane(from, s + k * a));
    }
}

bool compareLane(const Instr& i, const uint8_t* a, const uint8_t* b)
{
    double x = loadLane(i.s[0].type, a);
    double y = loadLane(i.s[0].type, b);
    switch (static_cast<AscendC::CMPMODE>(i.mode)) {
    case AscendC::CMPMODE::LT: return x < y;
    case AscendC::CMPMODE::GT: return x > y;
    case AscendC::CMPMODE::EQ: return x == y;
    case AscendC::CMPMODE::LE: return x <= y;
    case AscendC::CMPMODE::GE: return x >= y;
    default: return x != y;
    }
}

} // namespace emu
