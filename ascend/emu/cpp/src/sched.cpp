// Blocks as fibers, pipes as queues, flags, barriers and synchronisation between blocks.
#include <algorithm>
#include <cstdlib>
#include <sys/mman.h>

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

static void join(Clock& a, const Clock& b)
{
    for (int p = 0; p < kPipes; p++) {
        a.v[p] = std::max(a.v[p], b.v[p]);
    }
}

// yieldBlock returns to the scheduler; the block continues when what it waits for may have happened.
void yieldBlock(Wait why)
{
    Block* b = cur;
    b->wait = why;
    swapcontext(&b->context, &mainContext);
    cur = b;
    b->wait = kRunning;
    here = Here{b, kS, b->pipe[kS].count, b->waitLine, kOps, false};
}

static void stamp(Block& b, Pipe p, int32_t line, Op op)
{
    PipeState& s = b.pipe[p];
    s.count++;
    if (run->checks) {
        s.log.push_back(Step{line, op});
    }
    here = Here{&b, p, s.count, line, op, false};
}

static Token tokenOf(Block& b, Pipe p)
{
    PipeState& s = b.pipe[p];
    Token t;
    t.clock = s.known;
    t.clock.v[p] = s.count;
    t.foreign = s.foreign;
    for (int k = 0; k < kScenarios; k++) {
        t.time[k] = p == kS ? b.now[k] : s.time[k];
    }
    return t;
}

static void learn(Block& b, Pipe p, const Token& t)
{
    PipeState& s = b.pipe[p];
    join(s.known, t.clock);
    s.foreign = std::max(s.foreign, t.foreign);
    for (int k = 0; k < kScenarios; k++) {
        double& at = p == kS ? b.now[k] : s.time[k];
        at = std::max(at, t.time[k]);
    }
}

static void flagTime(Block& b, Pipe p, const Instr* i)
{
    for (int k = 0; k < kScenarios; k++) {
        if (p == kS) {
            b.now[k] += chip.flag;
        } else {
            b.pipe[p].time[k] = std::max(b.pipe[p].time[k], i->issued[k]) + chip.flag;
        }
    }
}

// trySet raises a flag; false while the flag is still up.
static bool trySet(Block& b, Pipe p, int pair, int id, int32_t line, const Instr* i)
{
    Flag& f = b.flag[pair][id];
    if (f.set) {
        return false;
    }
    stamp(b, p, line, oSetFlag);
    flagTime(b, p, i);
    if (run->checks && f.waited && !f.queue) {
        Pipe to = pairTo(pair);
        bool known = to == kS || f.waitIdx <= b.pipe[p].known.v[to] || f.waitIdx <= b.base;
        if (!known) {
            report("flag-double-set", line, f.waitLine,
                "%s id %d can be set while its last wait may still be pending: a flag is one bit",
                pairName(pair), id);
        }
    }
    f.set = true;
    f.setLine = line;
    f.token = tokenOf(b, p);
    return true;
}

static bool tryWait(Block& b, Pipe p, int pair, int id, int32_t line, const Instr* i)
{
    Flag& f = b.flag[pair][id];
    if (!f.set) {
        return false;
    }
    stamp(b, p, line, oWaitFlag);
    flagTime(b, p, i);
    f.set = false;
    f.waited = true;
    f.waitLine = line;
    f.waitIdx = b.pipe[p].count;
    learn(b, p, f.token);
    return true;
}

// startInstr runs the head of a pipe; false while it must wait.
static bool startInstr(Block& b, Pipe p, Instr& i)
{
    PipeState& s = b.pipe[p];
    s.foreign = std::max(s.foreign, i.foreign);
    if (i.op == oSetFlag) {
        return trySet(b, p, i.mode, static_cast<int>(i.scalar), i.line, &i);
    }
    if (i.op == oWaitFlag) {
        return tryWait(b, p, i.mode, static_cast<int>(i.scalar), i.line, &i);
    }
    stamp(b, p, i.line, i.op);
    if (i.op == oPipeBarrier) {
        s.known.v[p] = s.count;
        for (int k = 0; k < kScenarios; k++) {
            s.time[k] = std::max(s.time[k], i.issued[k]) + chip.barrier;
        }
        return true;
    }
    if (i.op == oCrossCoreSetFlag) {
        extern void crossRaise(Block & b, uint8_t mode, uint16_t flag, const Token& t);
        for (int k = 0; k < kScenarios; k++) {
            s.time[k] = std::max(s.time[k], i.issued[k]) + chip.flag;
        }
        crossRaise(b, i.mode, static_cast<uint16_t>(i.scalar), tokenOf(b, p));
        return true;
    }
    if (run->timeline) {
        chargeTime(i, s);
    }
    execute(i);
    return true;
}

bool step(Block& b, Pipe p)
{
    PipeState& s = b.pipe[p];
    if (s.size == 0) {
        return false;
    }
    Block* before = cur;
    cur = &b;
    bool done = startInstr(b, p, s.ring[s.head]);
    cur = before;
    if (done) {
        s.head = (s.head + 1) % s.ring.size();
        s.size--;
        s.started++;
    }
    return done;
}

static bool drainAll(Block& b)
{
    bool any = false;
    for (bool more = true; more;) {
        more = false;
        for (int p = kV; p < kPipes; p++) {
            while (step(b, static_cast<Pipe>(p))) {
                more = any = true;
            }
        }
    }
    return any;
}

static bool allEmpty(const Block& b)
{
    for (int p = kV; p < kPipes; p++) {
        if (b.pipe[p].size != 0) {
            return false;
        }
    }
    return true;
}

// enqueue puts an instruction on its pipe, waiting while the pipe's queue is full.
static void enqueue(Instr& i)
{
    Block& b = *cur;
    PipeState& s = b.pipe[i.pipe];
    for (int k = 0; k < kScenarios; k++) {
        b.now[k] += chip.scalarIssue;
    }
    if (run->timeline && s.issued >= chip.queueDepth) {
        uint64_t at = s.issued - chip.queueDepth;
        if (s.starts[0].size() > at) {
            for (int k = 0; k < kScenarios; k++) {
                b.now[k] = std::max(b.now[k], s.starts[k][at]);
            }
        }
    }
    for (int k = 0; k < kScenarios; k++) {
        i.issued[k] = b.now[k];
    }
    i.foreign = b.pipe[kS].foreign;
    s.issued++;
    if (!run->random && s.size == 0 && startInstr(b, i.pipe, i)) {
        s.started++;
        drainAll(b);
    } else {
        while (s.size == s.ring.size()) {
            b.waitPipe = i.pipe;
            b.waitLine = i.line;
            yieldBlock(kOnQueue);
        }
        s.ring[(s.head + s.size) % s.ring.size()] = i;
        s.size++;
    }
    here = Here{&b, kS, b.pipe[kS].count, i.line, i.op, false};
    if (run->aborted) {
        yieldBlock(kOnSync);
    }
    if (run->random && (nextRandom() & 7) == 0) {
        yieldBlock(kRunning);
    }
}

static void resolveMask(Instr& i)
{
    Block& b = *cur;
    if (i.form == kLanes || i.form == kBits) {
        b.maskKnown = b.counterKnown = true;
        b.counter = false;
        b.mask[0] = i.mask[0];
        b.mask[1] = i.mask[1];
        if (i.form == kLanes) {
            uint64_t n = i.mask[0];
            b.mask[0] = n >= 64 ? ~0ull : (1ull << n) - 1;
            b.mask[1] = n >= 128 ? ~0ull : n > 64 ? (1ull << (n - 64)) - 1 : 0;
        }
        return;
    }
    if (i.form == kCount) {
        b.maskKnown = b.counterKnown = true;
        b.counter = false;
        b.mask[0] = b.mask[1] = ~0ull;
        return;
    }
    if (i.form != kRegister) {
        return;
    }
    if (!b.maskKnown) {
        report("mask-register", i.line, 0, "%s uses the mask register before SetVectorMask set it",
            opName(i.op));
    }
    i.form = b.counter ? kCount : kBits;
    i.mask[0] = b.mask[0];
    i.mask[1] = b.mask[1];
}

static bool unitPresent(const Instr& i)
{
    const Block& b = *cur;
    bool cubeOnly = i.pipe == kM || i.pipe == kMTE1 || i.pipe == kFIX;
    if ((i.pipe == kV && !b.vector) || (cubeOnly && !b.cube)) {
        report("wrong-core", i.line, 0, "%s needs pipe %s, which this core does not have", opName(i.op),
            pipeName(i.pipe));
        return false;
    }
    return true;
}

void issue(Instr& i)
{
    Block& b = *cur;
    b.waitLine = i.line;
    here = Here{&b, kS, b.pipe[kS].count, i.line, i.op, false};
    if (!unitPresent(i)) {
        return;
    }
    resolveMask(i);
    if (i.op == oCast && i.s[0].type == I32 && i.d.type == F16) {
        if (!b.deqKnown) {
            report("deq-register", i.line, 0, "Cast of int32 to half uses SetDeqScale's register before it was set");
        }
        i.scalar = b.deq;
    }
    if (i.d.mem == kGM) {
        if (!b.atomicKnown) {
            report("atomic-register", i.line, 0,
                "%s stores before SetAtomicNone, InitSocState or a TPipe cleaned the atomic register",
                opName(i.op));
        }
        i.atomic = b.atomic;
    }
    enqueue(i);
}

static bool validFlag(uint8_t pair, int32_t id, int32_t line, bool queue)
{
    here = Here{cur, kS, cur->pipe[kS].count, line, oSetFlag, false};
    if (id < 0 || id >= kIds) {
        report("event-id", line, 0, "%s: event id %d is not in 0 to 7", pairName(pair), id);
        return false;
    }
    if (!queue && static_cast<uint32_t>(id) >= chip.reservedIds) {
        report("event-id", line, 0, "%s: event ids from %u on belong to the framework on this chip",
            pairName(pair), chip.reservedIds);
    }
    Pipe ends[2] = {pairFrom(pair), pairTo(pair)};
    for (Pipe p : ends) {
        if (p == kFIX && k310) {
            report("event-id", line, 0, "%s: this chip has no pipe FIX", pairName(pair));
            return false;
        }
    }
    return true;
}

static Instr flagInstr(Op op, Pipe p, uint8_t pair, int32_t id, int32_t line)
{
    Instr i;
    i.op = op;
    i.pipe = p;
    i.mode = pair;
    i.scalar = static_cast<uint64_t>(id);
    i.line = line;
    return i;
}

void setFlag(uint8_t pair, int32_t id, int32_t line, bool queue)
{
    if (!validFlag(pair, id, line, queue)) {
        return;
    }
    Block& b = *cur;
    Flag& f = b.flag[pair][id];
    if (f.outstanding > 0 && !queue) {
        report("flag-double-set", line, f.setLine, "%s id %d is set a second time with no wait between",
            pairName(pair), id);
        return;
    }
    f.outstanding++;
    f.queue = queue;
    f.setLine = line;
    Pipe from = pairFrom(pair);
    if (from != kS) {
        Instr i = flagInstr(oSetFlag, from, pair, id, line);
        enqueue(i);
        return;
    }
    while (!trySet(b, kS, pair, id, line, nullptr)) {
        b.waitPair = pair;
        b.waitId = static_cast<uint8_t>(id);
        b.waitLine = line;
        yieldBlock(kOnFlag);
    }
}

void waitFlag(uint8_t pair, int32_t id, int32_t line, bool queue)
{
    if (!validFlag(pair, id, line, queue)) {
        return;
    }
    Block& b = *cur;
    b.flag[pair][id].outstanding--;
    Pipe to = pairTo(pair);
    if (to != kS) {
        Instr i = flagInstr(oWaitFlag, to, pair, id, line);
        enqueue(i);
        return;
    }
    while (!tryWait(b, kS, pair, id, line, nullptr)) {
        b.waitPair = pair;
        b.waitId = static_cast<uint8_t>(id);
        b.waitLine = line;
        yieldBlock(kOnFlag);
    }
}

// drainScalar is PIPE_ALL: the scalar unit waits until every pipe is empty; all clocks meet.
static void drainScalar(int32_t line)
{
    Block& b = *cur;
    while (!allEmpty(b)) {
        b.waitLine = line;
        yieldBlock(kOnDrain);
    }
    Token all = tokenOf(b, kS);
    for (int p = 0; p < kPipes; p++) {
        Token t = tokenOf(b, static_cast<Pipe>(p));
        join(all.clock, t.clock);
        all.foreign = std::max(all.foreign, t.foreign);
        for (int k = 0; k < kScenarios; k++) {
            all.time[k] = std::max(all.time[k], t.time[k]);
        }
    }
    for (int p = 0; p < kPipes; p++) {
        learn(b, static_cast<Pipe>(p), all);
    }
    for (int k = 0; k < kScenarios; k++) {
        b.now[k] += chip.barrier;
    }
}

void barrier(Pipe p, int32_t line)
{
    here = Here{cur, kS, cur->pipe[kS].count, line, oPipeBarrier, false};
    if (p == kAll) {
        drainScalar(line);
        return;
    }
    Instr i;
    i.op = oPipeBarrier;
    i.pipe = p;
    i.line = line;
    if (unitPresent(i)) {
        enqueue(i);
    }
}

int32_t allocEvent(uint8_t pair, int32_t line)
{
    Block& b = *cur;
    for (int id = 0; id < kIds; id++) {
        if ((b.occupied[pair] >> id & 1) == 0) {
            b.occupied[pair] |= static_cast<uint8_t>(1 << id);
            return id;
        }
    }
    here = Here{&b, kS, b.pipe[kS].count, line, oAllocEventID, false};
    report("event-pool", line, 0, "all 8 event ids of %s are taken", pairName(pair));
    return 0;
}

void releaseEvent(uint8_t pair, int32_t id, int32_t line)
{
    Block& b = *cur;
    if (id < 0 || id >= kIds || (b.occupied[pair] >> id & 1) == 0) {
        here = Here{&b, kS, b.pipe[kS].count, line, oReleaseEventID, false};
        report("event-pool", line, 0, "event id %d of %s is released but was not taken", id, pairName(pair));
        return;
    }
    b.occupied[pair] &= static_cast<uint8_t>(~(1 << id));
}

int32_t fetchEvent(uint8_t pair, int32_t line)
{
    int32_t id = allocEvent(pair, line);
    cur->occupied[pair] &= static_cast<uint8_t>(~(1 << id));
    return id;
}

// ---- blocks among themselves

static Foreign& newForeign(Block& b)
{
    b.foreign.push_back(b.foreign[b.pipe[kS].foreign]);
    Foreign& f = b.foreign.back();
    if (f.of.empty()) {
        Clock none;
        std::fill(none.v, none.v + kPipes, run->base);
        f.of.assign(run->all.size(), none);
    }
    b.pipe[kS].foreign = static_cast<uint32_t>(b.foreign.size() - 1);
    return f;
}

// learnBlock makes b know everything that block o knew when it made the token.
static void learnBlock(Foreign& f, const Block& o, const Token& t)
{
    const Foreign& theirs = o.foreign[t.foreign];
    for (size_t k = 0; k < theirs.of.size(); k++) {
        join(f.of[k], theirs.of[k]);
    }
    join(f.of[o.id], t.clock);
}

static bool takesPart(const Block& b, bool vectorOnly) { return !vectorOnly || k310 || !b.cube; }

static bool allArrived(bool vectorOnly)
{
    for (auto& o : run->all) {
        if (takesPart(*o, vectorOnly) && !o->arrived) {
            return false;
        }
    }
    return true;
}

static void releaseAll(bool vectorOnly)
{
    double latest[kScenarios] = {0, 0};
    std::vector<Token> tokens;
    for (auto& o : run->all) {
        tokens.push_back(tokenOf(*o, kS));
        for (int p = 0; p < kPipes; p++) {
            tokens.back().clock.v[p] = o->pipe[p].count;
        }
        for (int k = 0; k < kScenarios && takesPart(*o, vectorOnly); k++) {
            latest[k] = std::max(latest[k], o->now[k]);
        }
    }
    for (auto& b : run->all) {
        if (!takesPart(*b, vectorOnly)) {
            continue;
        }
        Foreign& f = newForeign(*b);
        for (auto& o : run->all) {
            if (o->id != b->id && takesPart(*o, vectorOnly)) {
                learnBlock(f, *o, tokens[o->id]);
            }
        }
    }
    for (auto& b : run->all) {
        if (takesPart(*b, vectorOnly)) {
            b->arrived = false;
            b->syncs++;
            for (int k = 0; k < kScenarios; k++) {
                b->now[k] = latest[k] + chip.barrier;
            }
        }
    }
}

void syncAll(bool vectorOnly, int32_t line)
{
    Block& b = *cur;
    drainScalar(line);
    stamp(b, kS, line, oSyncAll);
    vectorOnly = vectorOnly && b.vector && !b.cube;
    b.arrived = true;
    b.syncVectorOnly = vectorOnly;
    if (allArrived(vectorOnly)) {
        releaseAll(vectorOnly);
        return;
    }
    int before = b.syncs;
    while (b.syncs == before) {
        b.waitLine = line;
        yieldBlock(kOnSync);
    }
}

void syncAllSoft(const Opnd& gm, const Opnd& ub, int32_t used, int32_t line)
{
    Block& b = *cur;
    here = Here{&b, kS, b.pipe[kS].count, line, oSyncAll, false};
    uint64_t need = static_cast<uint64_t>(used > 0 ? used : run->all.size()) * 32;
    if (!bounds(gm, gm.addr, need, 4) || !bounds(ub, ub.addr, need, 32)) {
        return;
    }
    Region* r = regionOf(gm.addr);
    uint8_t* slot = pointer(gm, gm.addr) + b.id * 32;
    int32_t seen = 0;
    memcpy(&seen, slot, 4);
    if (seen != b.syncs || (run->checks && r->role == kWorkspace)) {
        report("sync-workspace", line, 0, "SyncAll needs a workspace that is zero when the kernel starts");
    }
    stamp(b, kS, line, oSyncAll);
    setTaint(ub, ub.addr, need, true);
    seen = b.syncs + 1;
    memcpy(slot, &seen, 4);
    syncAll(false, line);
}

static Block* peer(const Block& b, bool cube, uint32_t sub)
{
    for (auto& o : run->all) {
        if (o->group == b.group && o->cube == cube && (cube || o->sub == sub)) {
            return o.get();
        }
    }
    return nullptr;
}

static void give(Block* to, uint16_t flag, const Token& t, const Block& from)
{
    if (to == nullptr) {
        return;
    }
    if (to->cross[flag] == 15) {
        report("cross-flag", here.line, 0, "cross-core flag %u is set more than 15 times ahead", flag);
        return;
    }
    to->cross[flag]++;
    Token kept = t;
    kept.clock.v[kS] = from.id; // the sender; its scalar clock is never needed by others
    to->crossTokens[flag].push_back(kept);
}

static bool cubeMayPass(const Block& b, uint16_t flag) { return b.cross[flag] > 0; }

void crossRaise(Block& b, uint8_t mode, uint16_t flag, const Token& t)
{
    if (mode == 2 && b.cube) {
        give(peer(b, false, 0), flag, t, b);
        give(peer(b, false, 1), flag, t, b);
        return;
    }
    if (mode == 2) {
        give(peer(b, true, 0), flag, t, b);
        return;
    }
    for (auto& o : run->all) {
        bool same = o->cube == b.cube && (mode == 0 || o->group == b.group);
        if (same) {
            give(o.get(), flag, t, b);
        }
    }
}

void crossSet(uint8_t mode, Pipe p, uint16_t flag, int32_t line)
{
    here = Here{cur, kS, cur->pipe[kS].count, line, oCrossCoreSetFlag, false};
    if (flag > 10) {
        report("cross-flag", line, 0, "cross-core flag ids are 0 to 10");
        return;
    }
    if (p == kS || p == kAll) {
        drainScalar(line);
        stamp(*cur, kS, line, oCrossCoreSetFlag);
        Token t = tokenOf(*cur, kS);
        for (int q = 0; q < kPipes; q++) {
            t.clock.v[q] = cur->pipe[q].count;
        }
        crossRaise(*cur, mode, flag, t);
        return;
    }
    Instr i;
    i.op = oCrossCoreSetFlag;
    i.pipe = p;
    i.mode = mode;
    i.scalar = flag;
    i.line = line;
    enqueue(i);
}

// crossNeed is how many signals one wait consumes: a cube core waits for both of its vector cores.
static uint32_t crossNeed(const Block& b, uint16_t flag)
{
    if (!b.cube) {
        std::vector<uint32_t> from;
        for (const Token& t : b.crossTokens[flag]) {
            if (!run->all[t.clock.v[kS]]->cube) {
                from.push_back(t.clock.v[kS]);
            }
        }
        if (from.empty()) {
            return 1;
        }
    }
    uint32_t n = 0;
    for (auto& o : run->all) {
        n += !o->cube && o->group == b.group;
    }
    return n == 0 ? 1 : n;
}

void crossWait(uint16_t flag, int32_t line)
{
    Block& b = *cur;
    here = Here{&b, kS, b.pipe[kS].count, line, oCrossCoreWaitFlag, false};
    if (flag > 10) {
        report("cross-flag", line, 0, "cross-core flag ids are 0 to 10");
        return;
    }
    while (b.cross[flag] < crossNeed(b, flag)) {
        b.waitId = static_cast<uint8_t>(flag);
        b.waitLine = line;
        yieldBlock(kOnCross);
    }
    uint32_t n = crossNeed(b, flag);
    Foreign& f = newForeign(b);
    for (uint32_t k = 0; k < n; k++) {
        const Token& t = b.crossTokens[flag][k];
        Block& from = *run->all[t.clock.v[kS]];
        Token known = t;
        known.clock.v[kS] = run->base;
        learnBlock(f, from, known);
        for (int s = 0; s < kScenarios; s++) {
            b.now[s] = std::max(b.now[s], t.time[s]);
        }
    }
    b.crossTokens[flag].erase(b.crossTokens[flag].begin(), b.crossTokens[flag].begin() + n);
    b.cross[flag] = static_cast<uint16_t>(b.cross[flag] - n);
    stamp(b, kS, line, oCrossCoreWaitFlag);
}

// ---- the scheduler

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
    memset(b.cross, 0, sizeof b.cross);
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

static void begin(Block& b)
{
    Memory& m = takeMemory();
    resetBlock(b, m);
    if (run->checks) {
        dirty(m, run->seed + b.id);
    }
    b.stack.resize(kStack);
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
    case kOnCross: return b.cross[b.waitId] >= crossNeed(b, b.waitId);
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
    for (uint16_t f = 0; f < 16; f++) {
        if (b.cross[f] != 0) {
            report("flag-leftover", 0, 0, "cross-core flag %u is still set when the kernel ends", f);
        }
    }
    for (auto& q : b.queues) {
        for (int k = 0; k < q->count; k++) {
            if (q->slots[k].state != 0) {
                report("queue-protocol", 0, 0, "a tensor of a queue is not freed when the kernel ends");
                break;
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
    std::vector<uint8_t>().swap(b.stack);
}

static std::string blockedText(const Block& b)
{
    std::string s = "block " + std::to_string(b.id) + ": ";
    auto lineOf = [](int32_t l) { return l > 0 ? " at line " + std::to_string(l) : std::string(); };
    switch (b.wait) {
    case kOnFlag:
        s += std::string("S waits for ") + pairName(b.waitPair) + " id " + std::to_string(b.waitId);
        break;
    case kOnQueue: s += std::string("S waits for room in the queue of ") + pipeName(b.waitPipe); break;
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
        text += " | more blocks than the " + std::to_string(cores) + " cores: the rest can never start";
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
