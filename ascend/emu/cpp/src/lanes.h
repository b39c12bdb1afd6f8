// Lane arithmetic: every element-wise operation as a loop over n lanes of plain arrays.
#ifndef EMU_LANES_H
#define EMU_LANES_H

#include "core.h"

namespace emu {

constexpr uint32_t kChunk = 256;

// elementwise computes n lanes of i.op into d; s0, s1 are the sources, d also a source where the
// operation accumulates.
void elementwise(const Instr& i, uint8_t* d, const uint8_t* s0, const uint8_t* s1, size_t n);
void castLanes(const Instr& i, uint8_t* d, const uint8_t* s, size_t n);
bool castAllowed(const Instr& i);
bool compareLane(const Instr& i, const uint8_t* a, const uint8_t* b);
void sumTree(float* v, size_t n, bool half);
bool execSpecial(Instr& i);

struct Lanes { // how an instruction walks over its operands
    uint32_t perRepeat; // lanes of a full repeat
    uint32_t repeat;
    bool flat;          // count form: `lanes` consecutive elements
    uint64_t lanes;
    uint64_t mask[2];
};
bool planLanes(const Instr& i, Lanes& l, uint32_t widest);
bool laneOn(const Lanes& l, uint32_t k);

} // namespace emu
#endif
