// LocalTensor and GlobalTensor: typed windows on a buffer, with the buffer's bounds kept beside
// them.
#ifndef EMU_TENSOR_H
#define EMU_TENSOR_H

#include "emu/params.h"

namespace emu {

// memOf gives the physical memory of a logical position on this chip.
constexpr Mem memOf(AscendC::TPosition p)
{
    switch (p) {
    case AscendC::TPosition::GM: return kGM;
    case AscendC::TPosition::A1: case AscendC::TPosition::B1: return kL1;
    case AscendC::TPosition::A2: return kL0A;
    case AscendC::TPosition::B2: return kL0B;
    case AscendC::TPosition::CO1: return kL0C;
    case AscendC::TPosition::CO2: return k310 ? kUB : kGM;
    case AscendC::TPosition::C1: return k310 ? kUB : kL1;
    case AscendC::TPosition::C2: return k310 ? kL0C : kBT;
    default: return kUB;
    }
}

constexpr Pipe pipeOf(pipe_t p)
{
    return p == PIPE_FIX ? kFIX : p == PIPE_ALL ? kAll : static_cast<Pipe>(p);
}

} // namespace emu

namespace AscendC {

template <typename T> class LocalTensor {
public:
    using PrimType = T;
    __aicore__ LocalTensor() {}

    __aicore__ T GetValue(const uint32_t index, EMU_LOC) const
    {
        return emu::fromBits<T>(emu::readScalar(at(index), loc.line));
    }
    template <typename V> __aicore__ void SetValue(const uint32_t index, const V value,
        EMU_LOC) const
    {
        emu::writeScalar(at(index), emu::bitsOf<T>(static_cast<T>(value)), loc.line);
    }
    __aicore__ LocalTensor operator[](const uint32_t offset) const
    {
        LocalTensor t = *this;
        t.addr_ += offset * static_cast<uint32_t>(sizeof(T));
        return t;
    }
    template <typename U> __aicore__ LocalTensor<U> ReinterpretCast() const
    {
        LocalTensor<U> t;
        t.addr_ = addr_;
        t.lo_ = lo_;
        t.hi_ = hi_;
        t.pos_ = pos_;
        t.buffer_ = buffer_;
        return t;
    }
    __aicore__ __ubuf__ T* GetPhyAddr() const
    {
        return reinterpret_cast<T*>(static_cast<uintptr_t>(addr_));
    }
    __aicore__ __ubuf__ T* GetPhyAddr(const uint32_t offset) const
    {
        return reinterpret_cast<T*>(static_cast<uintptr_t>(addr_ + offset * sizeof(T)));
    }
    __aicore__ uint32_t GetSize() const { return (hi_ - addr_) / static_cast<uint32_t>(sizeof(T)); }
    __aicore__ void SetSize(const uint32_t n) { hi_ = addr_ + n * static_cast<uint32_t>(sizeof(T));
        }
    __aicore__ int32_t GetPosition() const { return static_cast<int32_t>(pos_); }

    // operand describes the tensor to the runtime; it is not part of the public interface.
    emu::Opnd operand(uint16_t blk = 1, uint16_t rep = 8) const
    {
        emu::Opnd o;
        o.addr = addr_;
        o.lo = lo_;
        o.hi = hi_;
        o.mem = emu::memOf(pos_);
        o.type = emu::TypeOf<T>::value;
        o.blk = blk;
        o.rep = rep;
        return o;
    }
    void bind(uint32_t addr, uint32_t bytes, TPosition pos, int32_t buffer)
    {
        addr_ = lo_ = addr;
        hi_ = addr + bytes;
        pos_ = pos;
        buffer_ = buffer;
    }
    int32_t buffer() const { return buffer_; }
    uint32_t address() const { return addr_; }

private:
    template <typename U> friend class LocalTensor;
    emu::Opnd at(uint32_t index) const
    {
        emu::Opnd o = operand();
        o.addr += static_cast<uint64_t>(index) * sizeof(T);
        return o;
    }
    uint32_t addr_ = 0, lo_ = 0, hi_ = 0;
    int32_t buffer_ = -1;
    TPosition pos_ = TPosition::VECCALC;
};

template <typename T> class GlobalTensor {
public:
    using PrimType = T;
    __aicore__ GlobalTensor() {}

    __aicore__ void SetGlobalBuffer(__gm__ T* buffer, const uint64_t size)
    {
        SetGlobalBuffer(buffer);
        hi_ = addr_ + size * sizeof(T);
        size_ = size;
    }
    __aicore__ void SetGlobalBuffer(__gm__ T* buffer)
    {
        addr_ = lo_ = (uint64_t)(buffer);
        hi_ = ~0ull;
        size_ = 0;
    }
    __aicore__ T GetValue(const uint64_t offset, EMU_LOC) const
    {
        return emu::fromBits<T>(emu::readScalar(at(offset), loc.line));
    }
    __aicore__ void SetValue(const uint64_t offset, const T value, EMU_LOC) const
    {
        emu::writeScalar(at(offset), emu::bitsOf<T>(value), loc.line);
    }
    __aicore__ GlobalTensor operator[](const uint64_t offset) const
    {
        GlobalTensor t = *this;
        t.addr_ += offset * sizeof(T);
        return t;
    }
    __aicore__ const __gm__ T* GetPhyAddr() const { return (const __gm__ T*)(addr_); }
    __aicore__ __gm__ T* GetPhyAddr(const uint64_t offset) const
    {
        return (__gm__ T*)(addr_ + offset * sizeof(T));
    }
    __aicore__ uint64_t GetSize() const { return size_; }
#if __CCE_AICORE__ == 220
    __aicore__ void SetL2CacheHint(CacheMode) {}
#endif

    emu::Opnd operand() const
    {
        emu::Opnd o;
        o.addr = addr_;
        o.lo = lo_;
        o.hi = hi_;
        o.mem = emu::kGM;
        o.type = emu::TypeOf<T>::value;
        return o;
    }

private:
    emu::Opnd at(uint64_t offset) const
    {
        emu::Opnd o = operand();
        o.addr += offset * sizeof(T);
        return o;
    }
    uint64_t addr_ = 0, lo_ = 0, hi_ = 0, size_ = 0;
};

} // namespace AscendC
#endif
