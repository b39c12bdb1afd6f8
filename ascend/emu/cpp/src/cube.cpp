// The matrix unit: operand loads and products.
#include <algorithm>

#include "core.h"

namespace emu {

constexpr uint64_t kFractal = 512;

static bool loadPath(const Instr& i)
{
    bool ok = (i.s[0].mem == kL1 && (i.d.mem == kL0A || i.d.mem == kL0B)) ||
        (i.s[0].mem == kGM && (i.d.mem == kL1 || i.d.mem == kL0A || i.d.mem == kL0B));
    if (!ok) {
        report("path", here.line, 0, "%s: there is no path from %s to %s", opName(i.op),
            memName(i.s[0].mem),
            memName(i.d.mem));
    } else if (i.repeat == 0) {
        report("zero-count", here.line, 0, "%s with a repeat of 0 is not defined on every chip",
            opName(i.op));
        ok = false;
    }
    return ok;
}

static void moveFractal(const Instr& i, uint64_t to, uint64_t from)
{
    touch(i.s[0], from, kFractal, kRead);
    touch(i.d, to, kFractal, kWrite);
    copyTaint(i.d, to, i.s[0], from, kFractal, false);
    memcpy(pointer(i.d, to), pointer(i.s[0], from), kFractal);
}

// turn transposes a square of rows x rows elements that was read into `in`.
static void turn(const Instr& i, uint64_t from, const uint8_t* in, uint32_t rows,
    uint64_t (*target)(const Instr&, uint32_t, uint32_t))
{
    uint32_t size = sizeOf(i.d.type);
    bool any = run->checks && tainted(i.s[0], from, static_cast<uint64_t>(rows) * rows * size);
    for (uint32_t r = 0; r < rows; r++) {
        for (uint32_t c = 0; c < rows; c++) {
            uint64_t to = target(i, c, r);
            uint64_t at = from + (static_cast<uint64_t>(r) * rows + c) * size;
            memcpy(pointer(i.d, to), in + (r * rows + c) * size, size);
            setTaint(i.d, to, size, any && tainted(i.s[0], at, size));
        }
    }
}

static uint64_t turnBase;

static uint64_t halfTarget(const Instr&, uint32_t r, uint32_t c) { return turnBase + (r * 16
    + c) * 2; }

static uint64_t byteTarget(const Instr& i, uint32_t r, uint32_t c)
{
    uint64_t second = r >= 16 ? (1 + static_cast<uint64_t>(i.p[3])) * kFractal : 0;
    return turnBase + second + (r % 16) * 32 + c;
}

static void turnFractal(const Instr& i, uint64_t to, uint64_t from)
{
    uint8_t in[kFractal];
    memcpy(in, pointer(i.s[0], from), kFractal);
    touch(i.s[0], from, kFractal, kRead);
    touch(i.d, to, kFractal, kWrite);
    turnBase = to;
    turn(i, from, in, 16, halfTarget);
}

static void execLoad(Instr& i)
{
    if (!loadPath(i)) {
        return;
    }
    if (i.p[3] != 0 && sizeOf(i.d.type) != 2) {
        report("transpose-type", here.line, 0, "LoadData: ifTranspose takes 16-bit types only");
        return;
    }
    for (uint64_t r = 0; r < i.repeat; r++) {
        uint64_t step = r * static_cast<uint64_t>(i.p[1]);
        uint64_t first = static_cast<uint64_t>(i.p[0]);
        if (i.p[4] != 0 && step > first) {
            report("buffer-bounds", here.line, 0,
                "LoadData: a decreasing address leaves the buffer");
            return;
        }
        uint64_t from = i.s[0].addr + (i.p[4] != 0 ? first - step : first + step) * kFractal;
        uint64_t to = i.d.addr + r * (1 + static_cast<uint64_t>(i.p[2])) * kFractal;
        uint32_t align = i.s[0].mem == kGM ? sizeOf(i.s[0].type) : 32;
        if (!bounds(i.s[0], from, kFractal, align) || !bounds(i.d, to, kFractal, i.d.mem == kL1
            ? 32 : 512)) {
            return;
        }
        if (i.p[3] != 0) {
            turnFractal(i, to, from);
        } else {
            moveFractal(i, to, from);
        }
    }
}

static void execLoadTranspose(Instr& i)
{
    if (!loadPath(i)) {
        return;
    }
    bool bytes = sizeOf(i.d.type) == 1;
    uint64_t unit = bytes ? 2 * kFractal : kFractal;
    for (uint64_t r = 0; r < i.repeat; r++) {
        uint64_t from = i.s[0].addr + (static_cast<uint64_t>(i.p[0])
            + r * static_cast<uint64_t>(i.p[1])) * unit;
        uint64_t to = i.d.addr + r * (1 + static_cast<uint64_t>(i.p[2])) * kFractal;
        uint64_t reach = bytes ? (2 + static_cast<uint64_t>(i.p[3])) * kFractal : kFractal;
        if (!bounds(i.s[0], from, unit, 32) || !bounds(i.d, to, reach, 512)) {
            return;
        }
        if (!bytes) {
            turnFractal(i, to, from);
            continue;
        }
        uint8_t in[2 * kFractal];
        memcpy(in, pointer(i.s[0], from), unit);
        touch(i.s[0], from, unit, kRead);
        touch(i.d, to, kFractal, kWrite);
        touch(i.d, to + reach - kFractal, kFractal, kWrite);
        turnBase = to;
        turn(i, from, in, 32, byteTarget);
    }
}

static void execInit(Instr& i)
{
    uint64_t unit = i.d.mem == kL1 ? 32 : kFractal;
    uint32_t size = sizeOf(i.d.type);
    for (uint64_t r = 0; r < static_cast<uint64_t>(i.p[0]); r++) {
        uint64_t to = i.d.addr + r * static_cast<uint64_t>(i.p[1] + i.p[2]) * unit;
        uint64_t bytes = static_cast<uint64_t>(i.p[1]) * unit;
        if (!bounds(i.d, to, bytes, i.d.mem == kL1 ? 32 : 512)) {
            return;
        }
        touch(i.d, to, bytes, kWrite);
        setTaint(i.d, to, bytes, false);
        for (uint64_t k = 0; k < bytes; k += size) {
            memcpy(pointer(i.d, to + k), &i.scalar, size);
        }
    }
}

// ---- the product

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
        for (uint64_t k = 0; k < t.n1 * 16; k++) {
            bool bad = rows[r] || cols[k] || bias;
            if (bad || fresh) {
                setTaint(i.d, addressC(i, t, r, k), size, bad);
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

// productFloats adds the products of one K fractal in order, then that sum to the accumulator. The
// order inside the device is not published, so results compare within a tolerance only.
static void productFloats(const Instr& i, const Tile& t)
{
    uint64_t size = sizeOf(i.s[0].type);
    std::vector<float> b(t.k1 * t.k0 * t.n), acc(t.n), part(t.n);
    for (uint64_t n = 0; n < t.n; n++) {
        for (uint64_t k = 0; k < t.k; k++) {
            b[k * t.n + n] = element(i.s[1].type, pointer(i.s[1], rowB(i, t, n, k / t.k0))
                + k % t.k0 * size);
        }
    }
    for (uint64_t m = 0; m < t.m; m++) {
        for (uint64_t n = 0; n < t.n; n++) {
            acc[n] = startValue(i, pointer(i.d, addressC(i, t, m, n)), n);
        }
        for (uint64_t kk = 0; kk < t.k1; kk++) {
            const uint8_t* row = pointer(i.s[0], rowA(i, t, m, kk));
            std::fill(part.begin(), part.end(), 0.0f);
            for (uint64_t j = 0; j < t.k0 && kk * t.k0 + j < t.k; j++) {
                float x = element(i.s[0].type, row + j * size);
                const float* w = b.data() + (kk * t.k0 + j) * t.n;
                for (uint64_t n = 0; n < t.n; n++) {
                    part[n] += x * w[n];
                }
            }
            for (uint64_t n = 0; n < t.n; n++) {
                acc[n] += part[n];
            }
        }
        for (uint64_t n = 0; n < t.n; n++) {
            uint8_t* c = pointer(i.d, addressC(i, t, m, n));
            if (i.d.type == F16) {
                uint16_t h = toHalf(acc[n], k310);
                memcpy(c, &h, 2);
            } else {
                memcpy(c, &acc[n], 4);
            }
        }
    }
}

static void execMmad(Instr& i)
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

void execCube(Instr& i)
{
    switch (i.op) {
    case oLoadData: execLoad(i); break;
    case oLoadDataWithTranspose: execLoadTranspose(i); break;
    case oInitConstValue: execInit(i); break;
    case oMmad: execMmad(i); break;
    default: execFixpipe(i);
    }
}

} // namespace emu
