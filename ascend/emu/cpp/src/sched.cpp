// The scheduler: blocks as fibers on the cores of the chip, pipes taking turns, deadlocks.
#include <algorithm>

#include "core.h"

namespace emu {

static ucontext_t mainContext;
static uint64_t randomState;
constexpr size_t kStack = 256 * 1024;

uint64_t nextRandom()
{
    randomState ^= randomState << 13;
    randomState ^= randomState >> 7;
    randomState ^= randomState << 17;
    return randomState;
}

// yieldBlock returns to the scheduler; the block continues when what it waits for may have
// happened.
void yieldBlock(Wait why)
{
    Block* b = cur;
    b->wait = why;
    swapcontext(&b->context, &mainContext);
    cur = b;
    b->wait = kRunning;
    here = Here{b, kS, b->pipe[kS].count, b->waitLine, kOps, false};
}

static void blockMain()
{
    Block& b = *cur;
    b.kernel->entry(run->slots.data());
    Block& e = *cur;
    here = Here{&e, kS, e.pipe[kS].count, 0, oKernelEnd, false};
    drainScalar(0);
    flushAll(e);
    e.wait = kDone;
    swapcontext(&e.context, &mainContext);
}

static void resetBlock(Block& b, Memory& m)
{
    b.mem = &m;
    b.base = std::max(run->base, m.clock);
    b.foreign.assign(1, Foreign());
    memset(b.occupied, 0, sizeof b.occupied);
    memset(b.crossMode, 0, sizeof b.crossMode);
    memset(b.localTop, 0, sizeof b.localTop);
    for (int p = 0; p < kPipes; p++) {
        PipeState& s = b.pipe[p];
        s.ring.resize(p == kS ? 0 : chip.queueDepth);
        s.count = b.base;
        for (uint32_t& v : s.known.v) {
            v = b.base;
        }
    }
}

static void dirty(Memory& m, uint64_t seed)
{
    static const uint8_t fills[] = {0xff, 0x7e, 0xfc, 0x5a, 0x3c, 0x81};
    for (int k = kUB; k < kMems; k++) {
        memset(m.bytes[k].data(), fills[(seed + static_cast<uint64_t>(k)) % 6], m.bytes[k].size());
        memset(m.shadow[k].taint.data(), 0xff, m.shadow[k].taint.size() * 4);
    }
}

static std::vector<std::unique_ptr<Memory>> memories;

static Memory& takeMemory()
{
    for (auto& m : memories) {
        if (!m->busy) {
            m->busy = true;
            return *m;
        }
    }
    memories.emplace_back(new Memory());
    Memory& m = *memories.back();
    for (int k = kUB; k < kMems; k++) {
        m.bytes[k].resize(chip.size[k]);
        m.shadow[k].cells.resize(chip.size[k] / kGrain);
        m.shadow[k].taint.resize(chip.size[k] / kGrain);
    }
    m.busy = true;
    return m;
}

static std::vector<std::vector<uint8_t>> stacks;

static void begin(Block& b)
{
    Memory& m = takeMemory();
    resetBlock(b, m);
    if (run->checks) {
        dirty(m, run->seed + b.id);
    }
    if (stacks.empty()) {
        stacks.emplace_back(kStack);
    }
    b.stack.swap(stacks.back());
    stacks.pop_back();
    getcontext(&b.context);
    b.context.uc_stack.ss_sp = b.stack.data();
    b.context.uc_stack.ss_size = b.stack.size();
    b.context.uc_link = nullptr;
    makecontext(&b.context, blockMain, 0);
    b.started = true;
}

static void resume(Block& b)
{
    cur = &b;
    here = Here{&b, kS, b.pipe[kS].count, 0, kOps, false};
    swapcontext(&mainContext, &b.context);
    cur = nullptr;
}

static bool canResume(const Block& b)
{
    switch (b.wait) {
    case kRunning: return true;
    case kOnFlag: {
        const Flag& f = b.flag[b.waitPair][b.waitId];
        return pairTo(b.waitPair) == kS ? f.set : !f.set;
    }
    case kOnQueue: return b.pipe[b.waitPipe].size < b.pipe[b.waitPipe].ring.size();
    case kOnDrain: return allEmpty(b);
    case kOnSync: return !b.arrived && !run->aborted;
    case kOnCross: return crossReady(b, b.waitId);
    default: return false;
    }
}

static bool pump(Block& b)
{
    if (!run->random) {
        bool any = drainAll(b);
        if (canResume(b)) {
            resume(b);
            return true;
        }
        return any;
    }
    int first = static_cast<int>(nextRandom() % kPipes);
    for (int k = 0; k < kPipes; k++) {
        int p = (first + k) % kPipes;
        if (p == kS ? canResume(b) : b.pipe[p].size != 0) {
            if (p == kS) {
                resume(b);
                return true;
            }
            bool any = false;
            for (uint64_t n = nextRandom() % 4 + 1; n > 0 && step(b, static_cast<Pipe>(p)); n--) {
                any = true;
            }
            if (any) {
                return true;
            }
        }
    }
    return false;
}

static void leftovers(Block& b)
{
    here = Here{&b, kS, b.pipe[kS].count, 0, oKernelEnd, false};
    for (int pair = 0; pair < kPairs; pair++) {
        for (int id = 0; id < kIds; id++) {
            if (b.flag[pair][id].set) {
                report("flag-leftover", b.flag[pair][id].setLine, 0,
                    "%s id %d is still set when the kernel ends", pairName(pair), id);
            }
        }
    }
    for (auto& q : b.queues) {
        for (int k = 0; k < q->count; k++) {
            if (q->slots[k].state != 0) {
                report("queue-protocol", 0, 0,
                    "a tensor of a queue is not freed when the kernel ends");
                break;
            }
        }
    }
}

// crossLeftovers looks at cross-core flags once all blocks have ended.
static void crossLeftovers()
{
    for (auto& b : run->all) {
        for (uint16_t f = 0; f < 16; f++) {
            if (!b->crossTokens[f].empty()) {
                const Token& t = b->crossTokens[f].front();
                here = Here{run->all[t.from].get(), kS, 0, t.line, oCrossCoreSetFlag, false};
                report("flag-leftover", t.line, 0,
                    "cross-core flag %u is still set when the kernel ends", f);
            }
        }
    }
}

static void end(Block& b)
{
    if (run->checks) {
        leftovers(b);
    }
    for (int p = 0; p < kPipes; p++) {
        b.mem->clock = std::max(b.mem->clock, b.pipe[p].count);
    }
    for (int k = 0; k < kScenarios; k++) {
        run->makespan[k] = std::max(run->makespan[k], b.now[k]);
    }
    b.mem->busy = false;
    b.started = false;
    stacks.emplace_back();
    stacks.back().swap(b.stack);
}

static std::string blockedText(const Block& b)
{
    std::string s = "block " + std::to_string(b.id) + ": ";
    auto lineOf = [](int32_t l) { return l > 0 ? " at line " + std::to_string(l) : std::string(); };
    switch (b.wait) {
    case kOnFlag:
        s += std::string("S waits for ") + pairName(b.waitPair) + " id " + std::to_string(b.waitId);
        break;
    case kOnQueue: s += std::string("S waits for room in the queue of ") + pipeName(b.waitPipe);
        break;
    case kOnDrain: s += "S waits for all pipes"; break;
    case kOnSync: s += "S waits in SyncAll"; break;
    case kOnCross: s += "S waits for cross-core flag " + std::to_string(b.waitId); break;
    default: s += "S is idle"; break;
    }
    s += lineOf(b.waitLine);
    for (int p = kV; p < kPipes; p++) {
        const PipeState& q = b.pipe[p];
        if (q.size == 0) {
            continue;
        }
        const Instr& i = q.ring[q.head];
        s += std::string("; ") + pipeName(p) + " waits ";
        s += i.op == oSetFlag ? "to set " : "for ";
        s += std::string(pairName(i.mode)) + " id " + std::to_string(i.scalar) + lineOf(i.line);
    }
    return s;
}

static void deadlock(uint32_t cores)
{
    std::string text;
    int32_t line = 0;
    for (auto& b : run->all) {
        if (b->started && text.size() < 400) {
            line = line != 0 ? line : b->waitLine;
            here = Here{b.get(), kS, 0, line, kOps, false};
            text += (text.empty() ? "" : " | ") + blockedText(*b);
        }
    }
    bool waiting = false;
    for (auto& b : run->all) {
        waiting = waiting || (!b->started && b->wait != kDone);
    }
    if (waiting) {
        text += " | more blocks than the " + std::to_string(cores)
            + " cores: the rest can never start";
    }
    report("deadlock", line, 0, "%s", text.c_str());
}

static bool mayStart(const Block& b, uint32_t cubes, uint32_t vectors)
{
    return b.cube ? cubes < chip.cubes : vectors < chip.vectors;
}

void runLaunch()
{
    randomState = run->seed * 0x9e3779b97f4a7c15ull + 0x2545f4914f6cdd1dull;
    uint32_t cubes = 0, vectors = 0, done = 0, next = 0;
    uint32_t total = static_cast<uint32_t>(run->all.size());
    std::vector<Block*> live;
    while (done < total && !run->aborted) {
        while (next < total && mayStart(*run->all[next], cubes, vectors)) {
            Block& b = *run->all[next++];
            (b.cube ? cubes : vectors)++;
            begin(b);
            live.push_back(&b);
        }
        bool any = false;
        if (run->random && live.size() > 1) {
            std::swap(live[nextRandom() % live.size()], live[0]);
        }
        for (size_t k = 0; k < live.size() && !run->aborted; k++) {
            Block& b = *live[k];
            any = pump(b) || any;
            if (b.wait == kDone) {
                end(b);
                (b.cube ? cubes : vectors)--;
                done++;
                live.erase(live.begin() + static_cast<long>(k));
                any = true;
                k--;
            }
        }
        if (!any) {
            deadlock(chip.cubes + chip.vectors);
            run->aborted = true;
        }
    }
    if (run->checks && !run->aborted) {
        crossLeftovers();
    }
    for (Block* b : live) {
        for (int p = 0; p < kPipes; p++) {
            b->mem->clock = std::max(b->mem->clock, b->pipe[p].count);
        }
        b->mem->busy = false;
    }
    for (auto& m : memories) {
        run->base = std::max(run->base, m->clock);
    }
    if (run->base > 3000000000u) {
        memories.clear();
        run->base = 0;
    }
}

} // namespace emu
