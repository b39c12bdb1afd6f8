// TPipe, queues and buffers: the framework part that hands out memory and event ids.
#ifndef EMU_PIPE_H
#define EMU_PIPE_H

#include "emu/cube.h"

namespace emu {

// Slot is one buffer of a queue.
struct Slot {
    uint32_t addr = 0;
    uint8_t state = 0; // 0 free, 1 allocated, 2 in the queue, 3 taken out
    int8_t filled = -1, freed = -1;
};

constexpr uint8_t ev(AscendC::HardEvent e) { return static_cast<uint8_t>(e); }

// enqueueEvent and freeEvent are the flags behind EnQue/DeQue and FreeTensor/AllocTensor.
constexpr uint8_t enqueueEvent(AscendC::TPosition src, AscendC::TPosition dst)
{
    using P = AscendC::TPosition;
    using E = AscendC::HardEvent;
    if (src == P::VECIN && dst == P::VECOUT) {
        return ev(E::MTE2_MTE3);
    }
    switch (src) {
    case P::VECIN: return ev(E::MTE2_V);
    case P::C1: return k310 ? ev(E::MTE2_V) : ev(E::MTE2_MTE1);
    case P::A1: case P::B1: return ev(E::MTE2_MTE1);
    case P::A2: case P::B2: return ev(E::MTE1_M);
    case P::CO1: return k310 ? ev(E::M_V) : ev(E::M_FIX);
    case P::C2: return k310 ? ev(E::V_M) : ev(E::MTE1_M);
    default: return ev(E::V_MTE3);
    }
}
constexpr uint8_t freeEvent(AscendC::TPosition src, AscendC::TPosition dst)
{
    using P = AscendC::TPosition;
    using E = AscendC::HardEvent;
    if (src == P::VECIN && dst == P::VECOUT) {
        return ev(E::MTE3_MTE2);
    }
    switch (src) {
    case P::VECIN: return ev(E::V_MTE2);
    case P::C1: return k310 ? ev(E::V_MTE2) : ev(E::MTE1_MTE2);
    case P::A1: case P::B1: return ev(E::MTE1_MTE2);
    case P::A2: case P::B2: return ev(E::M_MTE1);
    case P::CO1: return k310 ? ev(E::V_M) : ev(E::FIX_M);
    case P::C2: return k310 ? ev(E::M_V) : ev(E::M_MTE1);
    default: return ev(E::MTE3_V);
    }
}

// Queue is the untyped state of a TQue, registered with the pipe so that it can be drained.
struct Queue {
    Slot slots[8];
    uint32_t bytes = 0;
    uint8_t count = 0, depth = 0, in = 0, out = 0, queued = 0, next = 0;
    uint8_t order[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    uint8_t enqueue = 0, release = 0;
};

Queue* newQueue(); // lives until the block ends, longer than the object in the kernel text

int32_t queueAlloc(Queue& q, int32_t line);
void queuePut(Queue& q, int32_t slot, int32_t line);
int32_t queueTake(Queue& q, int32_t line);
void queueFree(Queue& q, int32_t slot, int32_t line);
void queueDrain();

} // namespace emu

namespace AscendC {

class TPipe;

template <TPosition src, TPosition dst, int32_t depth, int32_t mask = 0> class TQueBind {
public:
    __aicore__ TQueBind() {}
    TQueBind(const TQueBind&) = delete;

    template <typename T> __aicore__ LocalTensor<T> AllocTensor(EMU_LOC)
    {
        return tensor<T>(emu::queueAlloc(*state_, loc.line));
    }
    template <typename T> __aicore__ bool EnQue(const LocalTensor<T>& t, EMU_LOC)
    {
        emu::queuePut(*state_, t.buffer(), loc.line);
        return true;
    }
    template <typename T> __aicore__ LocalTensor<T> DeQue(EMU_LOC)
    {
        return tensor<T>(emu::queueTake(*state_, loc.line));
    }
    template <typename T> __aicore__ void FreeTensor(LocalTensor<T>& t, EMU_LOC)
    {
        emu::queueFree(*state_, t.buffer(), loc.line);
    }
    __aicore__ bool HasTensorInQue() { return state_->queued > 0; }
    __aicore__ bool VacantInQue() { return state_->queued < depth; }
    __aicore__ int32_t GetTensorCountInQue() { return state_->queued; }

private:
    friend class TPipe;
    template <typename T> LocalTensor<T> tensor(int32_t slot)
    {
        LocalTensor<T> t;
        t.bind(state_->slots[slot & 7].addr, state_->bytes, src, slot);
        return t;
    }
    emu::Queue* state_ = emu::newQueue();
};

template <TPosition pos, int32_t depth, int32_t mask = 0>
class TQue : public TQueBind<pos, pos, depth, mask> {};

template <TPosition pos = TPosition::VECCALC> class TBuf {
public:
    __aicore__ TBuf() {}
    TBuf(const TBuf&) = delete;
    template <typename T> __aicore__ LocalTensor<T> Get()
    {
        LocalTensor<T> t;
        t.bind(addr_, bytes_, pos, -1);
        return t;
    }
    template <typename T> __aicore__ LocalTensor<T> Get(uint32_t len)
    {
        LocalTensor<T> t;
        t.bind(addr_, len * static_cast<uint32_t>(sizeof(T)), pos, -1);
        return t;
    }
    template <typename T> __aicore__ LocalTensor<T> GetWithOffset(uint32_t size, uint32_t bufOffset)
    {
        LocalTensor<T> t;
        t.bind(addr_ + bufOffset, size * static_cast<uint32_t>(sizeof(T)), pos, -1);
        return t;
    }

private:
    friend class TPipe;
    uint32_t addr_ = 0, bytes_ = 0;
};

class TPipe {
public:
    __aicore__ TPipe()
    {
        emu::setPipeObject(this);
        emu::initState();
    }
    TPipe(const TPipe&) = delete;
    __aicore__ ~TPipe() { Destroy(); }

    template <TPosition src, TPosition dst, int32_t depth, int32_t mask>
    __aicore__ bool InitBuffer(TQueBind<src, dst, depth, mask>& que, uint8_t num, uint32_t len,
        EMU_LOC)
    {
        emu::Queue& q = *que.state_;
        if (num == 0 || num > 8 || q.count != 0) {
            emu::finding("queue-protocol", loc.line,
                "InitBuffer: a queue takes 1 to 8 buffers, once");
            return false;
        }
        q.bytes = (len + 31u) / 32u * 32u;
        q.count = num;
        q.depth = static_cast<uint8_t>(depth);
        q.enqueue = emu::enqueueEvent(src, dst);
        q.release = emu::freeEvent(src, dst);
        for (uint8_t k = 0; k < num; k++) {
            q.slots[k].addr = emu::allocLocal(emu::memOf(src), q.bytes, loc.line);
        }
        return true;
    }
    template <TPosition pos> __aicore__ bool InitBuffer(TBuf<pos>& buf, uint32_t len, EMU_LOC)
    {
        buf.bytes_ = (len + 31u) / 32u * 32u;
        buf.addr_ = emu::allocLocal(emu::memOf(pos), buf.bytes_, loc.line);
        return true;
    }
    template <HardEvent evt> __aicore__ TEventID AllocEventID(EMU_LOC)
    {
        return static_cast<TEventID>(emu::allocEvent(emu::ev(evt), loc.line));
    }
    template <HardEvent evt> __aicore__ void ReleaseEventID(TEventID id, EMU_LOC)
    {
        emu::releaseEvent(emu::ev(evt), id, loc.line);
    }
    __aicore__ TEventID FetchEventID(HardEvent evt, EMU_LOC)
    {
        return static_cast<TEventID>(emu::fetchEvent(emu::ev(evt), loc.line));
    }
    template <HardEvent evt> __aicore__ TEventID FetchEventID(EMU_LOC)
    {
        return static_cast<TEventID>(emu::fetchEvent(emu::ev(evt), loc.line));
    }
    __aicore__ void Reset()
    {
        emu::queueDrain();
        emu::freeLocals();
    }
    __aicore__ void Destroy()
    {
        if (open_) {
            open_ = false;
            emu::queueDrain();
        }
    }

private:
    bool open_ = true;
};

EMU_API TPipe* GetTPipePtr() { return static_cast<TPipe*>(emu::pipeObject()); }

} // namespace AscendC
#endif
