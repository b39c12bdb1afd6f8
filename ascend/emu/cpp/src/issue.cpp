// Issue of instructions into the queues of the pipes, their start, and barriers.
#include <algorithm>

#include "core.h"

namespace emu {

void join(Clock& a, const Clock& b)
{
    for (int p = 0; p < kPipes; p++) {
        a.v[p] = std::max(a.v[p], b.v[p]);
    }
}

void stamp(Block& b, Pipe p, int32_t line, Op op)
{
    PipeState& s = b.pipe[p];
    s.count++;
    if (run->checks) {
        s.log.push_back(Step{line, op});
    }
    here = Here{&b, p, s.count, line, op, false};
}

Token tokenOf(Block& b, Pipe p)
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
bool trySet(Block& b, Pipe p, int pair, int id, int32_t line, const Instr* i)
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

bool tryWait(Block& b, Pipe p, int pair, int id, int32_t line, const Instr* i)
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

// noteStart remembers when an instruction left its queue, which is when the scalar unit may refill
// it.
static void noteStart(PipeState& s)
{
    for (int k = 0; k < kScenarios && run->timeline; k++) {
        s.starts[k].push_back(s.time[k]);
    }
}

// startInstr runs the head of a pipe; false while it must wait.
static bool startInstr(Block& b, Pipe p, Instr& i)
{
    PipeState& s = b.pipe[p];
    s.foreign = std::max(s.foreign, i.foreign);
    for (int q = 0; q < kPipes; q++) { // an instruction starts after whatever its issue waited for
        s.known.v[q] = std::max(s.known.v[q], i.known[q]);
    }
    if (i.op == oSetFlag || i.op == oWaitFlag) {
        bool done = i.op == oSetFlag
            ? trySet(b, p, i.mode, static_cast<int>(i.scalar), i.line, &i)
            : tryWait(b, p, i.mode, static_cast<int>(i.scalar), i.line, &i);
        if (done) {
            noteStart(s);
        }
        return done;
    }
    stamp(b, p, i.line, i.op);
    if (i.op == oPipeBarrier) {
        s.known.v[p] = s.count;
        for (int k = 0; k < kScenarios; k++) {
            s.time[k] = std::max(s.time[k], i.issued[k]) + chip.barrier;
        }
        noteStart(s);
        return true;
    }
    if (i.op == oCrossCoreSetFlag) {
        for (int k = 0; k < kScenarios; k++) {
            s.time[k] = std::max(s.time[k], i.issued[k]) + chip.flag;
        }
        noteStart(s);
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

bool drainAll(Block& b)
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

bool allEmpty(const Block& b)
{
    for (int p = kV; p < kPipes; p++) {
        if (b.pipe[p].size != 0) {
            return false;
        }
    }
    return true;
}

// enqueue puts an instruction on its pipe, waiting while the pipe's queue is full.
void enqueue(Instr& i)
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
    memcpy(i.known, b.pipe[kS].known.v, sizeof i.known);
    i.known[kS] = b.base; // what the scalar unit itself wrote needs a flag all the same
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
        b.mask[0] = b.mask[1] = ~0ull;
    }
    i.form = b.counter ? kCount : kBits;
    i.mask[0] = b.mask[0];
    i.mask[1] = b.mask[1];
}

bool unitPresent(const Instr& i)
{
    const Block& b = *cur;
    bool cubeOnly = i.pipe == kM || i.pipe == kMTE1 || i.pipe == kFIX;
    if ((i.pipe == kV && !b.vector) || (cubeOnly && !b.cube)) {
        report("wrong-core", i.line, 0, "%s needs pipe %s, which this core does not have",
            opName(i.op),
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
            report("deq-register", i.line, 0,
                "Cast of int32 to half uses SetDeqScale's register before it was set");
        }
        i.scalar = b.deq;
    }
    if (i.d.mem == kGM) {
        if (!b.atomicKnown) {
            report("atomic-register", i.line, 0,
                "%s stores before SetAtomicNone or a TPipe cleaned the atomic register",
                opName(i.op));
        }
        i.atomic = b.atomic;
    }
    enqueue(i);
}

// drainScalar is PIPE_ALL: the scalar unit waits until every pipe is empty; all clocks meet.
void drainScalar(int32_t line)
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

} // namespace emu
