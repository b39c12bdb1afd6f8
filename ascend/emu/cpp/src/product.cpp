// The matrix unit: products.
#include <algorithm>

#include "core.h"

namespace emu {

constexpr uint64_t kFractal = 512;

struct Tile {
    uint64_t m, n, k, k0, m1, n1, k1;
};

static Tile tileOf(const Instr& i)
{
    Tile t;
    t.m = static_cast<uint64_t>(i.p[0]);
    t.n = static_cast<uint64_t>(i.p[1]);
    t.k = static_cast<uint64_t>(i.p[2]);
    t.k0 = 32 / sizeOf(i.s[0].type);
    t.m1 = (t.m + 15) / 16;
    t.n1 = (t.n + 15) / 16;
    t.k1 = (t.k + t.k0 - 1) / t.k0;
    return t;
}

// rowA and rowB give the 32 bytes of a row of A (Zz) and of a column of B (Zn) in one K fractal.
static uint64_t rowA(const Instr& i, const Tile& t, uint64_t row, uint64_t kk)
{
    return i.s[0].addr + ((row / 16 * t.k1 + kk) * 16 + row % 16) * 32;
}
static uint64_t rowB(const Instr& i, const Tile& t, uint64_t col, uint64_t kk)
{
    return i.s[1].addr + ((kk * t.n1 + col / 16) * 16 + col % 16) * 32;
}

static uint64_t addressC(const Instr& i, const Tile& t, uint64_t row, uint64_t col)
{
    return i.d.addr + ((col / 16 * t.m1 + row / 16) * 256 + row % 16 * 16
        + col % 16) * sizeOf(i.d.type);
}

static bool productFits(const Instr& i, const Tile& t)
{
    if (i.d.mem != kL0C || i.s[0].mem != kL0A || i.s[1].mem != kL0B) {
        report("path", here.line, 0, "Mmad reads L0A and L0B and writes L0C");
        return false;
    }
    if (t.m < 1 || t.m > 4095 || t.n < 1 || t.n > 4095 || t.k < 1 || t.k > 4095) {
        report("param-range", here.line, 0, "Mmad: m %llu, n %llu or k %llu is not in 1 to 4095",
            (unsigned long long)t.m, (unsigned long long)t.n, (unsigned long long)t.k);
        return false;
    }
    if (t.m == 1) {
        report("mmad-gemv", here.line, 0,
            "Mmad with m = 1 reads A as a plain vector: pass m rounded up");
        return false;
    }
    uint64_t c = t.m1 * t.n1 * 256 * sizeOf(i.d.type);
    return bounds(i.s[0], i.s[0].addr, t.m1 * t.k1 * kFractal, 512) &&
        bounds(i.s[1], i.s[1].addr, t.n1 * t.k1 * kFractal, 512) && bounds(i.d, i.d.addr, c, 1024);
}

static uint32_t kMask(const Instr& i, const Tile& t, uint64_t kk)
{
    uint64_t left = (t.k - kk * t.k0) * sizeOf(i.s[0].type);
    return left >= 32 ? ~0u : (1u << left) - 1u;
}

// taintLines tells which rows (or columns) of an operand hold undefined bytes.
static bool taintLines(const Instr& i, const Tile& t, bool b, std::vector<bool>& out)
{
    const Opnd& o = b ? i.s[1] : i.s[0];
    uint64_t lines = b ? t.n : t.m;
    bool any = false;
    out.assign(b ? t.n1 * 16 : t.m1 * 16, true);
    for (uint64_t r = 0; r < lines; r++) {
        bool bad = false;
        for (uint64_t kk = 0; kk < t.k1 && !bad; kk++) {
            uint64_t a = b ? rowB(i, t, r, kk) : rowA(i, t, r, kk);
            bad = (*taintCell(o, a) & kMask(i, t, kk)) != 0;
        }
        out[r] = bad;
        any = any || bad;
    }
    return any || lines % 16 != 0;
}

static void productTaint(const Instr& i, const Tile& t)
{
    uint64_t size = sizeOf(i.d.type), c = t.m1 * t.n1 * 256 * size;
    std::vector<bool> rows, cols;
    bool dirtyA = taintLines(i, t, false, rows), dirtyB = taintLines(i, t, true, cols);
    bool fresh = i.p[3] != 0 || i.p[4] != 0;
    bool bias = i.p[4] != 0 && i.sources == 3 && tainted(i.s[2], i.s[2].addr, t.n * 4);
    if (!dirtyA && !dirtyB && !bias) {
        if (fresh) {
            setTaint(i.d, i.d.addr, c, false);
        }
        return;
    }
    for (uint64_t r = 0; r < t.m1 * 16; r++) {
        for (uint64_t k = 0; k < t.n1 * 16; k += 16) {
            bool whole = rows[r] || bias;
            if (whole || fresh) {
                setTaint(i.d, addressC(i, t, r, k), 16 * size, whole);
            }
            for (uint64_t c = k; dirtyB && !whole && c < k + 16; c++) {
                if (cols[c]) {
                    setTaint(i.d, addressC(i, t, r, c), size, true);
                }
            }
        }
    }
}

template <typename A, typename B> static void productBytes(const Instr& i, const Tile& t)
{
    std::vector<int16_t> a(t.k1 * 32), b(t.n * t.k1 * 32);
    for (uint64_t n = 0; n < t.n; n++) {
        for (uint64_t kk = 0; kk < t.k1; kk++) {
            const B* s = reinterpret_cast<const B*>(pointer(i.s[1], rowB(i, t, n, kk)));
            for (uint64_t j = 0; j < 32; j++) {
                b[n * t.k1 * 32 + kk * 32 + j] = kk * 32 + j < t.k ? static_cast<int16_t>(s[j])
                    : int16_t(0);
            }
        }
    }
    for (uint64_t m = 0; m < t.m; m++) {
        for (uint64_t kk = 0; kk < t.k1; kk++) {
            const A* s = reinterpret_cast<const A*>(pointer(i.s[0], rowA(i, t, m, kk)));
            for (uint64_t j = 0; j < 32; j++) {
                a[kk * 32 + j] = s[j];
            }
        }
        for (uint64_t n = 0; n < t.n; n++) {
            const int16_t* row = b.data() + n * t.k1 * 32;
            const int16_t* left = a.data();
            int32_t sum = 0;
            for (uint64_t k = 0; k < t.k1 * 32; k++) {
                sum += static_cast<int32_t>(left[k]) * static_cast<int32_t>(row[k]);
            }
            uint32_t old = 0;
            uint8_t* c = pointer(i.d, addressC(i, t, m, n));
            if (i.p[4] != 0) {
                memcpy(&old, pointer(i.s[2], i.s[2].addr + n * 4), 4);
            } else if (i.p[3] == 0) {
                memcpy(&old, c, 4);
            }
            old += static_cast<uint32_t>(sum);
            memcpy(c, &old, 4);
        }
    }
}

float element(DType type, const uint8_t* p)
{
    if (type == F32) {
        float f;
        memcpy(&f, p, 4);
        return f;
    }
    uint16_t h;
    memcpy(&h, p, 2);
    return type == F16 ? fromHalf(h) : __builtin_bit_cast(float, static_cast<uint32_t>(h) << 16);
}

static float startValue(const Instr& i, const uint8_t* c, uint64_t n)
{
    if (i.p[4] != 0) {
        return element(F32, pointer(i.s[2], i.s[2].addr + n * 4));
    }
    return i.p[3] != 0 ? 0.0f : element(i.d.type, c);
}

// Wide is columns of the product that are worked on at once.
typedef float Wide __attribute__((vector_size(64)));
constexpr uint64_t kWide = 16, kGroup = 4; // a group is as many as registers hold

// widenBlock converts count elements of one block of 32 bytes.
static void widenBlock(DType type, float* to, const uint8_t* from, uint64_t count)
{
    if (type == F16) {
        widen(to, reinterpret_cast<const uint16_t*>(from), count);
        return;
    }
    for (uint64_t j = 0; j < count; j++) {
        to[j] = element(type, from + j * sizeOf(type));
    }
}

// addFractal adds the products of count elements in order, then that sum to the accumulators.
static void addFractal(float* acc, const float* x, const float* b, uint64_t count, uint64_t pitch)
{
    Wide part[kGroup] = {};
    for (uint64_t j = 0; j < count; j++) {
        for (uint64_t g = 0; g < kGroup; g++) {
            Wide w;
            memcpy(&w, b + j * pitch + g * kWide, sizeof w);
            part[g] += x[j] * w;
        }
    }
    for (uint64_t g = 0; g < kGroup; g++) {
        Wide a;
        memcpy(&a, acc + g * kWide, sizeof a);
        a += part[g];
        memcpy(acc + g * kWide, &a, sizeof a);
    }
}

// operandB is B by rows of K, so that columns lie together.
static void operandB(const Instr& i, const Tile& t, float* b, uint64_t pitch)
{
    float line[16];
    for (uint64_t kk = 0; kk < t.k1; kk++) {
        uint64_t count = std::min(t.k0, t.k - kk * t.k0);
        for (uint64_t n = 0; n < t.n; n++) {
            widenBlock(i.s[1].type, line, pointer(i.s[1], rowB(i, t, n, kk)), count);
            float* to = b + kk * t.k0 * pitch + n;
            for (uint64_t j = 0; j < count; j++) {
                to[j * pitch] = line[j];
            }
        }
    }
}

static void loadAccumulators(const Instr& i, const Tile& t, uint64_t m, float* acc)
{
    for (uint64_t n = 0; n < t.n; n++) {
        acc[n] = startValue(i, pointer(i.d, addressC(i, t, m, n)), n);
    }
}

static void storeAccumulators(const Instr& i, const Tile& t, uint64_t m, const float* acc)
{
    for (uint64_t n = 0; n < t.n; n += 16) {
        uint8_t* c = pointer(i.d, addressC(i, t, m, n));
        uint64_t count = std::min<uint64_t>(16, t.n - n);
        if (i.d.type == F16) {
            narrow(reinterpret_cast<uint16_t*>(c), acc + n, count);
        } else {
            memcpy(c, acc + n, count * 4);
        }
    }
}

// productFloats adds the products of one K fractal in order, then that sum to the accumulator. The
// order inside the device is not published, so results compare within a tolerance only.
static void productFloats(const Instr& i, const Tile& t)
{
    constexpr uint64_t kColumns = kWide * kGroup;
    uint64_t pitch = (t.n + kColumns - 1) / kColumns * kColumns;
    static std::vector<float> b, acc, x;
    b.resize(t.k1 * t.k0 * pitch);
    acc.resize(pitch);
    x.resize(t.k1 * t.k0);
    operandB(i, t, b.data(), pitch);
    for (uint64_t m = 0; m < t.m; m++) {
        loadAccumulators(i, t, m, acc.data());
        for (uint64_t kk = 0; kk < t.k1; kk++) {
            widenBlock(i.s[0].type, x.data() + kk * t.k0, pointer(i.s[0], rowA(i, t, m, kk)), t.k0);
        }
        for (uint64_t n = 0; n < t.n; n += kColumns) {
            for (uint64_t kk = 0; kk < t.k1; kk++) {
                uint64_t k = kk * t.k0;
                addFractal(acc.data() + n, x.data() + k, b.data() + k * pitch + n,
                    std::min(t.k0, t.k - k), pitch);
            }
        }
        storeAccumulators(i, t, m, acc.data());
    }
}

void execMmad(Instr& i)
{
    Tile t = tileOf(i);
    if (!productFits(i, t)) {
        return;
    }
    if (i.p[4] != 0 && (i.sources != 3 || !bounds(i.s[2], i.s[2].addr, t.n * 4, 64))) {
        report("mmad-bias", here.line, 0, "Mmad: cmatrixSource needs a bias tensor in C2");
        return;
    }
    here.accumulates = i.p[3] == 0 && t.m1 * t.n1 >= 10;
    uint64_t c = t.m1 * t.n1 * 256 * sizeOf(i.d.type);
    touch(i.s[0], i.s[0].addr, t.m1 * t.k1 * kFractal, kRead);
    touch(i.s[1], i.s[1].addr, t.n1 * t.k1 * kFractal, kRead);
    if (i.p[4] != 0) {
        touch(i.s[2], i.s[2].addr, t.n * 4, kRead);
    }
    touch(i.d, i.d.addr, c, kWrite);
    if (run->checks) {
        productTaint(i, t);
    }
    switch (i.s[0].type) {
    case I8: productBytes<int8_t, int8_t>(i, t); break;
    case U8:
        i.s[1].type == I8 ? productBytes<uint8_t, int8_t>(i, t) : productBytes<uint8_t, uint8_t>(i,
            t);
        break;
    default: productFloats(i, t);
    }
}

} // namespace emu
