// The form in which a call reaches the runtime: one plain record for every instruction.
#ifndef EMU_INSTR_H
#define EMU_INSTR_H

#include "emu/base.h"

namespace emu {

enum Pipe : uint8_t { kS, kV, kM, kMTE1, kMTE2, kMTE3, kFIX, kPipes, kAll };
enum Mem : uint8_t { kGM, kUB, kL1, kL0A, kL0B, kL0C, kBT, kFB, kMems };

// X-macro of every operation: its name, as reports print it.
#define EMU_OPS(X) \
    X(Add) X(Sub) X(Mul) X(Div) X(Max) X(Min) X(And) X(Or) X(MulAddDst) X(FusedMulAdd) X(AddRelu) \
    X(Adds) X(Muls) X(Maxs) X(Mins) X(LeakyRelu) X(ShiftLeft) X(ShiftRight) X(Axpy) \
    X(Exp) X(Ln) X(Sqrt) X(Rsqrt) X(Reciprocal) X(Abs) X(Relu) X(Not) X(Copy) \
    X(Duplicate) X(Cast) X(CreateVecIndex) X(Brcb) X(Gather) X(Scatter) X(GatherMask) \
    X(Compare) X(CompareScalar) X(Select) X(Transpose) X(TransDataTo5HD) \
    X(ReduceSum) X(ReduceMax) X(ReduceMin) X(WholeReduceSum) X(WholeReduceMax) X(WholeReduceMin) \
    X(BlockReduceSum) X(BlockReduceMax) X(BlockReduceMin) X(PairReduceSum) \
    X(DataCopy) X(DataCopyPad) X(DataCopyNd2Nz) X(DataCopyL0C) X(BroadCastVecToMM) \
    X(LoadData) X(LoadDataWithTranspose) X(InitConstValue) X(Mmad) X(Fixpipe) \
    X(GetValue) X(SetValue) X(SetFlag) X(WaitFlag) X(PipeBarrier) X(CrossCoreSetFlag) \
    X(CrossCoreWaitFlag) X(SyncAll) X(DataCacheCleanAndInvalid) X(AllocEventID) X(ReleaseEventID) \
    X(InitBuffer) X(AllocTensor) X(EnQue) X(DeQue) X(FreeTensor) X(SetVectorMask) X(SetDeqScale) \
    X(SetAtomic) X(KernelEnd)
enum Op : uint8_t {
#define EMU_OP(n) o##n,
    EMU_OPS(EMU_OP)
#undef EMU_OP
    kOps
};

// Opnd is one operand. addr, lo and hi are bytes: an offset in a local memory, an address in global
// memory; [lo, hi) is the buffer (or declared tensor) it belongs to. Strides are in 32-byte blocks.
struct Opnd {
    uint64_t addr = 0, lo = 0, hi = 0;
    Mem mem = kUB;
    DType type = I8;
    uint16_t blk = 1, rep = 8;
};

enum MaskForm : uint8_t { kNoMask, kCount, kLanes, kBits, kRegister };

struct Instr {
    Op op = kOps;
    Pipe pipe = kV;
    uint8_t sources = 0;
    MaskForm form = kNoMask;
    uint8_t mode = 0;
    uint8_t atomic = 0;
    int32_t line = 0;
    uint32_t repeat = 1;
    Opnd d, s[3];
    uint64_t mask[2] = {0, 0};
    uint64_t scalar = 0;
    int64_t p[10] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    uint64_t wide[8]; // address lists only
    // filled by the runtime
    uint32_t foreign = 0;
    uint32_t known[kPipes];
    double issued[2] = {0, 0};
};

void issue(Instr& i);
uint64_t readScalar(const Opnd& o, int32_t line);
void writeScalar(const Opnd& o, uint64_t bits, int32_t line);
void setFlag(uint8_t pair, int32_t id, int32_t line, bool queue);
void waitFlag(uint8_t pair, int32_t id, int32_t line, bool queue);
void barrier(Pipe p, int32_t line);
int32_t allocEvent(uint8_t pair, int32_t line);
void releaseEvent(uint8_t pair, int32_t id, int32_t line);
int32_t fetchEvent(uint8_t pair, int32_t line);
uint32_t allocLocal(Mem m, uint32_t bytes, int32_t line);
void freeLocals();
void finding(const char* rule, int32_t line, const char* text);
void setVectorMask(uint64_t high, uint64_t low, bool counter, int32_t line);
void setMaskMode(bool counter);
void resetMask();
void setDeqScale(uint16_t half);
void setAtomic(uint8_t type);
void initState();
void flushCache(const Opnd& o, bool whole, int32_t line);
void syncAll(bool vectorOnly, int32_t line);
void syncAllSoft(const Opnd& gm, const Opnd& ub, int32_t used, int32_t line);
void crossSet(uint8_t mode, Pipe p, uint16_t flag, int32_t line);
void crossWait(uint16_t flag, int32_t line);
int64_t blockIndex();
int64_t blockCount();
int64_t subBlock();
void* pipeObject();
void setPipeObject(void* p);
uint64_t reservedCount(Instr& i);

template <typename T> inline uint64_t bitsOf(T v)
{
    uint64_t r = 0;
    __builtin_memcpy(&r, &v, sizeof(T));
    return r;
}

template <typename T> inline T fromBits(uint64_t b)
{
    T v;
    __builtin_memcpy(&v, &b, sizeof(T));
    return v;
}

} // namespace emu

// Called by the generated registration of each kernel.
namespace emu {
using Entry = void (*)(const uint64_t* slots);
struct ArgSpec { uint8_t pointer; uint8_t bytes; };
struct Kernel {
    const char* name;
    int pass;      // 0 whole core, 1 cube, 2 vector
    int task;      // kernel type as the text states it
    Entry entry;
    const ArgSpec* args;
    int count;
    Kernel* next;
    static Kernel* first;
    Kernel(const char* n, int pass, int task, Entry e, const ArgSpec* a, int c)
        : name(n), pass(pass), task(task), entry(e), args(a), count(c), next(first) { first = this;
            }
};

template <typename T> struct IsPointer { static constexpr bool value = false; };
template <typename T> struct IsPointer<T*> { static constexpr bool value = true; };
template <int... I> struct Ints {};
template <int N, int... I> struct MakeInts { using Type = typename MakeInts<N - 1, N - 1,
    I...>::Type; };
template <int... I> struct MakeInts<0, I...> { using Type = Ints<I...>; };

template <auto F> struct Bind;
template <typename... A, void (*F)(A...)> struct Bind<F> {
    static_assert(((IsPointer<A>::value ? Same<A, GM_ADDR>::value : IsNumber<A>::value) && ...),
        "kernel arguments are GM_ADDR or plain numbers");
    static constexpr int count = sizeof...(A);
    static inline const ArgSpec args[count + 1] = {
        ArgSpec{IsPointer<A>::value, sizeof(A)}..., ArgSpec{0, 0}};
    template <int... I> static void run(const uint64_t* s, Ints<I...>) { F(fromBits<A>(s[I])...); }
    static void call(const uint64_t* s) { run(s, typename MakeInts<count>::Type{}); }
};
} // namespace emu

#endif
