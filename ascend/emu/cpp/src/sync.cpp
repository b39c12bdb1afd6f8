// Blocks among themselves: SyncAll in both forms and the cross-core flags of 910B.
#include <algorithm>

#include "core.h"

namespace emu {

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
        report("sync-workspace", line, 0,
            "SyncAll needs a workspace that is zero when the kernel starts");
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

static void give(Block* to, uint8_t mode, uint16_t flag, const Token& t, const Block& from)
{
    if (to == nullptr) {
        return;
    }
    size_t ahead = 0;
    for (const Token& t2 : to->crossTokens[flag]) {
        ahead += t2.from == from.id;
    }
    if (ahead == 15) {
        report("cross-flag", here.line, 0, "cross-core flag %u is set more than 15 times ahead",
            flag);
        return;
    }
    to->crossMode[flag] = mode;
    to->crossTokens[flag].push_back(t);
    to->crossTokens[flag].back().from = from.id;
    to->crossTokens[flag].back().line = here.line;
}

void crossRaise(Block& b, uint8_t mode, uint16_t flag, const Token& t)
{
    if (mode == 2 && b.cube) {
        give(peer(b, false, 0), mode, flag, t, b);
        give(peer(b, false, 1), mode, flag, t, b);
        return;
    }
    if (mode == 2) {
        give(peer(b, true, 0), mode, flag, t, b);
        return;
    }
    for (auto& o : run->all) {
        bool same = o->cube == b.cube && (mode == 0 || o->group == b.group);
        if (same) {
            give(o.get(), mode, flag, t, b);
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
    if (p == kS) { // what the scalar unit did and waited for: other pipes may still be busy
        stamp(*cur, kS, line, oCrossCoreSetFlag);
        crossRaise(*cur, mode, flag, tokenOf(*cur, kS));
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

// mustSignal tells whether a wait of b on a flag takes a signal of o: every core of the kind (mode
// 0), of
// the kind in the group (mode 1), or of the other kind in the group (mode 2).
static bool mustSignal(const Block& b, const Block& o, uint8_t mode)
{
    bool kind = mode == 2 ? o.cube != b.cube : o.cube == b.cube;
    return kind && (mode == 0 || o.group == b.group);
}

static int firstFrom(const Block& b, uint16_t flag, uint32_t from)
{
    const std::vector<Token>& all = b.crossTokens[flag];
    for (size_t k = 0; k < all.size(); k++) {
        if (all[k].from == from) {
            return static_cast<int>(k);
        }
    }
    return -1;
}

bool crossReady(const Block& b, uint16_t flag)
{
    if (b.crossTokens[flag].empty()) {
        return false;
    }
    for (auto& o : run->all) {
        if (mustSignal(b, *o, b.crossMode[flag]) && firstFrom(b, flag, o->id) < 0) {
            return false;
        }
    }
    return true;
}

void crossWait(uint16_t flag, int32_t line)
{
    Block& b = *cur;
    here = Here{&b, kS, b.pipe[kS].count, line, oCrossCoreWaitFlag, false};
    if (flag > 10) {
        report("cross-flag", line, 0, "cross-core flag ids are 0 to 10");
        return;
    }
    while (!crossReady(b, flag)) {
        b.waitId = static_cast<uint8_t>(flag);
        b.waitLine = line;
        yieldBlock(kOnCross);
    }
    Foreign& f = newForeign(b);
    for (auto& o : run->all) {
        if (!mustSignal(b, *o, b.crossMode[flag])) {
            continue;
        }
        int at = firstFrom(b, flag, o->id);
        const Token& t = b.crossTokens[flag][static_cast<size_t>(at)];
        if (o->id == b.id) {
            join(b.pipe[kS].known, t.clock);
        } else {
            learnBlock(f, *o, t);
        }
        for (int s = 0; s < kScenarios; s++) {
            b.now[s] = std::max(b.now[s], t.time[s]);
        }
        b.crossTokens[flag].erase(b.crossTokens[flag].begin() + at);
    }
    stamp(b, kS, line, oCrossCoreWaitFlag);
}

} // namespace emu
