// The matrix unit: loads of operands.
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
