// The timeline: what an instruction costs by the published rates, and when it starts on its pipe.
#include <algorithm>

#include "core.h"

namespace emu {

static std::vector<uint32_t> l2Stamps; // by 512-byte line of the device memory
static uint32_t l2Counter;
static uint64_t l2Base;
constexpr uint64_t kL2Line = 512;

// coldCache forgets the L2: a timeline does not depend on the launches before it.
void coldCache(uint64_t base, uint64_t bytes)
{
    l2Base = base;
    if (l2Stamps.size() != bytes / kL2Line + 1) {
        l2Stamps.assign(bytes / kL2Line + 1, 0);
        l2Counter = 0;
    }
    l2Counter += static_cast<uint32_t>(chip.l2Bytes / kL2Line) + 1;
    if (l2Counter > 0xf0000000u) {
        std::fill(l2Stamps.begin(), l2Stamps.end(), 0u);
        l2Counter = static_cast<uint32_t>(chip.l2Bytes / kL2Line) + 1;
    }
}

struct Traffic { double hit = 0, miss = 0; };

static void pass(Traffic& t, uint64_t addr, uint64_t bytes)
{
    uint32_t lines = static_cast<uint32_t>(chip.l2Bytes / kL2Line);
    for (uint64_t a = addr / kL2Line * kL2Line; a < addr + bytes; a += kL2Line) {
        uint64_t line = (a - l2Base) / kL2Line;
        if (a < l2Base || line >= l2Stamps.size()) {
            continue;
        }
        uint64_t from = std::max(a, addr), to = std::min(a + kL2Line, addr + bytes);
        bool hit = l2Stamps[line] != 0 && l2Counter - l2Stamps[line] < lines;
        (hit ? t.hit : t.miss) += static_cast<double>(to - from);
        l2Stamps[line] = ++l2Counter;
    }
}

static double share(int s)
{
    double active = std::max<double>(1, static_cast<double>(std::min<size_t>(run->all.size(),
        chip.cubes + chip.vectors)));
    return std::min(chip.dram[s], chip.dramChip[s] / active);
}

// shape gives bursts and bytes of a burst of the global side, and its stride.
static void shape(const Instr& i, bool global, uint64_t* n, uint64_t* len, uint64_t* step)
{
    bool src = i.s[0].mem == kGM;
    *n = static_cast<uint64_t>(i.p[0]);
    switch (i.op) {
    case oDataCopy:
        *len = static_cast<uint64_t>(i.p[1]) * 32;
        *step = *len + static_cast<uint64_t>(src ? i.p[2] : i.p[3]) * 32;
        break;
    case oDataCopyPad:
        *len = static_cast<uint64_t>(i.p[1]);
        *step = *len + static_cast<uint64_t>(src ? i.p[2] : i.p[3]);
        break;
    case oDataCopyNd2Nz:
        *n = static_cast<uint64_t>(i.p[0] * i.p[1]);
        *len = static_cast<uint64_t>(i.p[2]) * sizeOf(i.d.type);
        *step = static_cast<uint64_t>(i.p[4]) * sizeOf(i.d.type);
        break;
    case oFixpipe:
        *n = static_cast<uint64_t>(i.p[1]);
        *len = static_cast<uint64_t>(i.p[0]) * sizeOf(i.d.type);
        *step = static_cast<uint64_t>(i.p[3]) * sizeOf(i.d.type);
        break;
    default: // LoadData
        *n = i.repeat;
        *len = 512;
        *step = static_cast<uint64_t>(i.p[1]) * 512;
    }
    (void)global;
}

static Traffic trafficOf(const Instr& i)
{
    uint64_t n, len, step;
    shape(i, true, &n, &len, &step);
    const Opnd& g = i.s[0].mem == kGM ? i.s[0] : i.d;
    Traffic t;
    if (step == len) {
        pass(t, g.addr, n * len);
        return t;
    }
    for (uint64_t k = 0; k < n; k++) {
        pass(t, g.addr + k * step, len);
    }
    return t;
}

static double localRate(const Instr& i)
{
    if (i.op == oDataCopyL0C || i.op == oFixpipe) {
        return chip.l0cToUB;
    }
    if (i.s[0].mem == kL1) {
        return i.d.mem == kL0A ? chip.l1ToL0A : i.d.mem == kL0B ? chip.l1ToL0B : chip.l1ToUB;
    }
    return i.d.mem == kL1 ? chip.ubToL1 : chip.ubToUB;
}

static double localBytes(const Instr& i)
{
    double n = static_cast<double>(i.p[0]), len = static_cast<double>(i.p[1]);
    switch (i.op) {
    case oDataCopyL0C: return n * len * 256 * sizeOf(i.s[0].type);
    case oBroadCastVecToMM: return n * len * 256 * sizeOf(i.d.type);
    case oLoadData: return i.repeat * 512.0;
    case oLoadDataWithTranspose: return i.repeat * (sizeOf(i.d.type) == 1 ? 1024.0 : 512.0);
    case oInitConstValue: return n * len * 512;
    case oFixpipe: return n * len * 4;
    default: return n * len * 32;
    }
}

static double vectorCost(const Instr& i)
{
    double widest = std::max(sizeOf(i.d.type), sizeOf(i.s[0].type));
    double lanes = 256 / std::max(widest, 2.0);
    double repeats = i.form == kCount ? static_cast<double>((i.mask[0]
        + static_cast<uint64_t>(lanes) - 1) / static_cast<uint64_t>(lanes)) : i.repeat;
    double each = 256 / chip.vectorBytes;
    switch (i.op) {
    case oExp: case oLn: case oDiv: case oSqrt: case oRsqrt: case oReciprocal:
        each *= chip.slowVector;
        break;
    case oReduceMax: case oReduceMin: case oReduceSum: each *= 2; break;
    case oGather: case oScatter: case oGatherMask: each *= chip.slowVector; break;
    default: break;
    }
    return chip.vectorStart + repeats * each;
}

static double mmadCost(const Instr& i)
{
    double k0 = 32.0 / sizeOf(i.s[0].type);
    double m1 = static_cast<double>((i.p[0] + 15) / 16), n1 = static_cast<double>((i.p[1]
        + 15) / 16);
    double k1 = static_cast<double>((i.p[2]
        + static_cast<int64_t>(k0) - 1) / static_cast<int64_t>(k0));
    double macs = sizeOf(i.s[0].type) == 1 ? chip.macs8 : chip.macs16;
    macs = i.s[0].type == F32 ? macs / 4 : macs;
    return chip.mmadStart + m1 * n1 * k1 * 256 * k0 / macs;
}

// chargeTime places an instruction on its pipe, in both scenarios.
void chargeTime(Instr& i, PipeState& p)
{
    bool global = i.s[0].mem == kGM || i.d.mem == kGM;
    bool moves = i.op >= oDataCopy && i.op <= oFixpipe && i.op != oMmad;
    Traffic t;
    if (moves && global) {
        t = trafficOf(i);
        run->gmBytes += t.hit + t.miss;
        run->l2HitBytes += t.hit;
    }
    for (int s = 0; s < kScenarios; s++) {
        double c;
        if (moves && global) {
            double l2 = i.d.mem == kGM ? chip.l2Write : chip.l2Read;
            c = chip.dmaSetup + t.miss / share(s) + t.hit / l2;
        } else if (moves) {
            c = chip.vectorStart + localBytes(i) / localRate(i);
        } else {
            c = i.op == oMmad ? mmadCost(i) : vectorCost(i);
        }
        double start = std::max(p.time[s], i.issued[s]);
        p.starts[s].push_back(start);
        p.time[s] = start + c;
        p.busy[s] += c;
        if (s == 0 && run->events) {
            run->trace.push_back(Event{opName(i.op), i.line, static_cast<uint8_t>(i.pipe),
                here.b->id, start, start + c});
        }
    }
}

void execute(Instr& i)
{
    if (i.op >= oLoadData && i.op <= oFixpipe) {
        execCube(i);
    } else if (i.op >= oDataCopy && i.op <= oBroadCastVecToMM) {
        execMove(i);
    } else {
        execVector(i);
    }
}

} // namespace emu
