// Special registers, local memory allocation and the queue protocol.
#include "core.h"

namespace emu {

static void at(int32_t line, Op op)
{
    here = Here{cur, kS, cur->pipe[kS].count, line, op, false};
}

void finding(const char* rule, int32_t line, const char* text)
{
    at(line, oInitBuffer);
    report(rule, line, 0, "%s", text);
}

int64_t blockIndex() { return cur->index; }
int64_t subBlock() { return cur->sub; }
int64_t blockCount() { return run->blocks; }
void* pipeObject() { return cur->pipeObject; }
void setPipeObject(void* p) { cur->pipeObject = p; }

// initState is what a TPipe or InitSocState does: no atomics, normal mask mode. The mask itself
// stays
// undefined here, so that code which relies on a former kernel's mask is found.
void initState()
{
    cur->atomicKnown = true;
    cur->atomic = 0;
    cur->counterKnown = true;
    cur->counter = false;
}

void setVectorMask(uint64_t high, uint64_t low, bool counter, int32_t line)
{
    at(line, oSetVectorMask);
    if (counter != cur->counter && cur->counterKnown) {
        report("mask-register", line, 0,
            "SetVectorMask uses a mode that SetMaskCount/SetMaskNorm did not choose");
    }
    cur->maskKnown = true;
    cur->mask[0] = low;
    cur->mask[1] = high;
}

void setMaskMode(bool counter)
{
    cur->counterKnown = true;
    cur->counter = counter;
}

void resetMask()
{
    cur->maskKnown = true;
    cur->mask[0] = cur->mask[1] = ~0ull;
}

void setDeqScale(uint16_t half)
{
    cur->deqKnown = true;
    cur->deq = half;
}

void setAtomic(uint8_t type)
{
    cur->atomicKnown = true;
    cur->atomic = type;
}

uint32_t allocLocal(Mem m, uint32_t bytes, int32_t line)
{
    at(line, oInitBuffer);
    uint32_t addr = cur->localTop[m];
    if (bytes == 0) {
        report("capacity", line, 0, "InitBuffer of no bytes");
    }
    uint64_t top = static_cast<uint64_t>(addr) + bytes;
    if (top > chip.usable[m]) {
        report("capacity", line, 0, "InitBuffer needs %llu bytes of %s, of which %u are usable",
            (unsigned long long)top, memName(m), chip.usable[m]);
        return 0;
    }
    cur->localTop[m] = static_cast<uint32_t>(top);
    return addr;
}

void freeLocals() { memset(cur->localTop, 0, sizeof cur->localTop); }

Queue* newQueue()
{
    cur->queues.emplace_back(new Queue());
    return cur->queues.back().get();
}

static bool slotIs(Queue& q, int32_t slot, uint8_t want, int32_t line, const char* what)
{
    if (slot < 0 || slot >= q.count || q.slots[slot].state != want) {
        report("queue-protocol", line, 0, "%s", what);
        return false;
    }
    return true;
}

int32_t queueAlloc(Queue& q, int32_t line)
{
    at(line, oAllocTensor);
    for (uint8_t k = 0; k < q.count; k++) {
        uint8_t n = static_cast<uint8_t>((q.next + k) % q.count);
        Slot& s = q.slots[n];
        if (s.state != 0) {
            continue;
        }
        if (s.freed >= 0) {
            waitFlag(q.release, s.freed, line, true);
            releaseEvent(q.release, s.freed, line);
            s.freed = -1;
        }
        s.state = 1;
        q.next = static_cast<uint8_t>((n + 1) % q.count);
        return n;
    }
    report("queue-protocol", line, 0, "AllocTensor: all %d buffers of the queue are in use",
        q.count);
    return 0;
}

void queuePut(Queue& q, int32_t slot, int32_t line)
{
    at(line, oEnQue);
    if (!slotIs(q, slot, 1, line, "EnQue of a tensor that AllocTensor did not give")) {
        return;
    }
    if (q.queued >= q.depth) {
        report("queue-protocol", line, 0, "EnQue: the queue of depth %d already holds %d", q.depth,
            q.queued);
        return;
    }
    Slot& s = q.slots[slot];
    s.state = 2;
    s.filled = static_cast<int8_t>(allocEvent(q.enqueue, line));
    setFlag(q.enqueue, s.filled, line, true);
    q.order[(q.out + q.queued) % 8] = static_cast<uint8_t>(slot);
    q.queued++;
}

int32_t queueTake(Queue& q, int32_t line)
{
    at(line, oDeQue);
    if (q.queued == 0) {
        report("queue-protocol", line, 0, "DeQue from an empty queue");
        return 0;
    }
    int32_t slot = q.order[q.out];
    q.out = static_cast<uint8_t>((q.out + 1) % 8);
    q.queued--;
    Slot& s = q.slots[slot];
    s.state = 3;
    waitFlag(q.enqueue, s.filled, line, true);
    releaseEvent(q.enqueue, s.filled, line);
    s.filled = -1;
    return slot;
}

void queueFree(Queue& q, int32_t slot, int32_t line)
{
    at(line, oFreeTensor);
    if (slot >= 0 && slot < q.count && q.slots[slot].state == 1) {
        q.slots[slot].state = 0;
        return;
    }
    if (!slotIs(q, slot, 3, line, "FreeTensor of a tensor that DeQue did not give")) {
        return;
    }
    Slot& s = q.slots[slot];
    s.state = 0;
    s.freed = static_cast<int8_t>(allocEvent(q.release, line));
    setFlag(q.release, s.freed, line, true);
}

// queueDrain is the end of a TPipe: the flags of freed buffers are waited for, then everything.
void queueDrain()
{
    for (auto& q : cur->queues) {
        for (uint8_t k = 0; k < q->count; k++) {
            Slot& s = q->slots[k];
            if (s.freed >= 0) {
                waitFlag(q->release, s.freed, 0, true);
                releaseEvent(q->release, s.freed, 0);
                s.freed = -1;
            }
        }
    }
    barrier(kAll, 0);
}

} // namespace emu
