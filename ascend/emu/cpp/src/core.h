// Shared state of the runtime: one Block for every logical block of a launch, one Memory for every
// physical core, the regions of global memory, and the clocks that order accesses.
#ifndef EMU_CORE_H
#define EMU_CORE_H

#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "kernel_operator.h"

namespace emu {

constexpr int kPairs = static_cast<int>(AscendC::HardEvent::MAX);
constexpr int kIds = 8;
constexpr uint32_t kGrain = 32; // bytes of one shadow cell
constexpr int kScenarios = 2;   // DRAM rate by core, DRAM rate by chip

enum Access : uint8_t { kRead, kWrite, kAtomic };

// Chip is what the Go side tells about the machine. Rates are bytes or operations a cycle.
struct Chip {
    uint32_t size[kMems], usable[kMems];
    uint32_t cubes, vectors, queueDepth;
    uint32_t reservedIds; // ids from here on are the framework's
    double dram[kScenarios], dramChip[kScenarios]; // a core's own limit; the chip's cap
    double l2Read, l2Write, l2Bytes;
    double l1ToL0A, l1ToL0B, l1ToUB, ubToL1, l0cToUB, ubToUB;
    double macs8, macs16, vectorBytes;
    double dmaSetup, scalarIssue, barrier, flag, vectorStart, mmadStart, slowVector, cacheMiss;
};
extern Chip chip;

// Rec is one remembered access to the bytes of a cell; Cell the accesses that may still matter.
struct Rec {
    uint32_t idx, mask, tag; // tag = block << 8 | pipe << 2 | access
};
struct Cell {
    Rec r[3];
    uint32_t n = 0;
    std::vector<Rec>* more = nullptr;
};

struct Shadow {
    std::vector<Cell> cells;
    std::vector<uint32_t> taint;
};

// Memory is the local memory of one physical core with its shadow.
struct Memory {
    std::vector<uint8_t> bytes[kMems];
    Shadow shadow[kMems];
    uint32_t clock = 0;
    bool busy = false;
};

enum Role : uint8_t { kIn, kOut, kInOut, kWorkspace, kZeroed };

struct Span { uint64_t off, len; };

constexpr uint64_t kPage = 1u << 16;
struct GmPage {
    Cell cells[kPage / kGrain];
    uint32_t taint[kPage / kGrain];
};

// Region is one tensor argument of the launch. Addresses are host addresses.
struct Region {
    uint64_t lo, hi;
    Role role;
    int arg;
    bool shadowed;
    std::vector<Span> undefined; // sorted
    std::unordered_map<uint64_t, std::unique_ptr<GmPage>> pages;
    GmPage* lastPage = nullptr;
    uint64_t lastNumber = ~0ull;
};

struct Clock { uint32_t v[kPipes]; };

// Foreign is what a block knows of the others: clocks by block, default the start of the launch.
struct Foreign { std::vector<Clock> of; };

struct Token {
    Clock clock;
    uint32_t foreign = 0, from = 0;
    int32_t line = 0; // of a cross-core flag
    double time[kScenarios] = {0, 0};
};

struct Flag {
    bool set = false, queue = false, waited = false;
    Token token;
    int outstanding = 0;
    int32_t setLine = 0, waitLine = 0;
    uint32_t waitIdx = 0;
};

struct Line64 { // one line of the scalar unit's cache
    uint8_t data[64];
    uint64_t dirty, taint;
    Clock clock;
    uint32_t foreign;
    int32_t line;
};

struct Step { int32_t line; Op op; };

struct PipeState {
    std::vector<Instr> ring;
    uint32_t head = 0, size = 0;
    Clock known;          // what this pipe's next instruction is ordered after
    uint32_t foreign = 0; // the same for other blocks
    uint32_t count = 0;   // index of the last instruction started
    std::vector<Step> log;
    double time[kScenarios] = {0, 0}, busy[kScenarios] = {0, 0};
    std::vector<double> starts[kScenarios];
    uint64_t issued = 0, started = 0;
};

enum Wait : uint8_t { kRunning, kOnFlag, kOnQueue, kOnDrain, kOnSync, kOnCross, kDone };

struct Event { const char* name; int32_t line; uint8_t pipe; uint32_t block; double start, end; };

struct Block {
    uint32_t id = 0, index = 0, sub = 0, group = 0;
    bool cube = true, vector = true; // which units it has
    const Kernel* kernel = nullptr;
    Memory* mem = nullptr;
    ucontext_t context;
    std::vector<uint8_t> stack;
    bool started = false;
    Wait wait = kRunning;
    uint8_t waitPair = 0, waitId = 0;
    Pipe waitPipe = kS;
    int32_t waitLine = 0;
    uint32_t base = 0;
    PipeState pipe[kPipes];
    Flag flag[kPairs][kIds];
    uint8_t occupied[kPairs];
    std::vector<Foreign> foreign;
    uint8_t crossMode[16];
    std::vector<Token> crossTokens[16];
    bool arrived = false, syncVectorOnly = false;
    int syncs = 0;
    std::map<uint64_t, Line64> cache;
    std::unordered_set<uint64_t> forgotten; // lines that the launch has invalidated
    bool allForgotten = false;
    std::vector<std::unique_ptr<Queue>> queues;
    uint32_t localTop[kMems];
    void* pipeObject = nullptr;
    // registers
    bool maskKnown = false, counter = false, counterKnown = false;
    uint64_t mask[2] = {0, 0};
    bool deqKnown = false;
    uint16_t deq = 0;
    bool atomicKnown = false;
    uint8_t atomic = 0;
    double now[kScenarios] = {0, 0};
};

struct Finding {
    std::string rule, text;
    uint32_t block;
    int32_t line, other;
    uint8_t pipe;
    Op op;
};

// Launch is the state of the launch under way.
struct Launch {
    bool checks = true, timeline = false, random = false, events = false;
    uint64_t seed = 0;
    const Kernel* kernel[2] = {nullptr, nullptr}; // cube or whole, vector
    int task = 0;
    uint32_t blocks = 0;
    std::vector<uint64_t> slots;
    std::vector<Region> regions;
    std::vector<std::unique_ptr<Block>> all;
    std::vector<Finding> findings;
    std::unordered_set<std::string> seen;
    std::vector<Event> trace;
    uint32_t base = 0;
    bool aborted = false;
    double makespan[kScenarios] = {0, 0};
    double gmBytes = 0, l2HitBytes = 0;
};
extern Launch* run;
extern Block* cur;

// Where is the instruction under execution, for reports and clocks.
struct Here {
    Block* b;
    Pipe p;
    uint32_t idx;
    int32_t line;
    Op op;
    bool accumulates; // a product large enough to follow another on L0C without a barrier
};
extern Here here;

const char* opName(Op op);
const char* pipeName(int p);
const char* memName(int m);
const char* pairName(int pair);
Pipe pairFrom(int pair);
Pipe pairTo(int pair);

// check.cpp
void report(const char* rule, int32_t line, int32_t other, const char* format, ...);
Region* regionOf(uint64_t addr);
bool bounds(const Opnd& o, uint64_t addr, uint64_t bytes, uint32_t align);
uint8_t* pointer(const Opnd& o, uint64_t addr);
void touch(const Opnd& o, uint64_t addr, uint64_t bytes, Access kind);
void touchMask(const Opnd& o, uint64_t addr, uint32_t mask, Access kind);
bool tainted(const Opnd& o, uint64_t addr, uint64_t bytes);
void setTaint(const Opnd& o, uint64_t addr, uint64_t bytes, bool on);
void copyTaint(const Opnd& d, uint64_t to, const Opnd& s, uint64_t from, uint64_t bytes,
    bool merge);
void storeCheck(const Opnd& o, uint64_t addr, uint64_t bytes);
uint32_t* taintCell(const Opnd& o, uint64_t addr);
bool ordered(const Rec& r, const Clock& known, uint32_t foreign, bool local);
const Cell* gmCell(Region& r, uint64_t addr);
void finishOutputs();

// execution
void execute(Instr& i);
void execVector(Instr& i);
void execMove(Instr& i);
void execCube(Instr& i);
void execMmad(Instr& i);
void execFixpipe(Instr& i);
float element(DType type, const uint8_t* p);
double cost(const Instr& i, int scenario);
void chargeTime(Instr& i, PipeState& p);
void noteTraffic(uint64_t addr, uint64_t bytes);
void flushAll(Block& b);

// issue.cpp
void join(Clock& a, const Clock& b);
Token tokenOf(Block& b, Pipe p);
void enqueue(Instr& i);
bool trySet(Block& b, Pipe p, int pair, int id, int32_t line, const Instr* i);
bool tryWait(Block& b, Pipe p, int pair, int id, int32_t line, const Instr* i);
bool unitPresent(const Instr& i);
bool drainAll(Block& b);
bool allEmpty(const Block& b);

// sync.cpp
void crossRaise(Block& b, uint8_t mode, uint16_t flag, const Token& t);
bool crossReady(const Block& b, uint16_t flag);

// sched.cpp
void runLaunch();
void yieldBlock(Wait why);
bool step(Block& b, Pipe p);
void drainScalar(int32_t line);
void stamp(Block& b, Pipe p, int32_t line, Op op);
uint64_t nextRandom();

// numbers
bool saturates();
float halfToFloat(uint16_t h);
uint16_t floatToHalf(float f);
void widen(float* out, const uint16_t* in, size_t n);
void narrow(uint16_t* out, const float* in, size_t n);

} // namespace emu
#endif
