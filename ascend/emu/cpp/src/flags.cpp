// Flags between pipes and the pool of event ids.
#include "core.h"

namespace emu {

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
        report("flag-double-set", line, f.setLine,
            "%s id %d is set a second time with no wait between",
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
        report("event-pool", line, 0, "event id %d of %s is released but was not taken", id,
            pairName(pair));
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

} // namespace emu
