// The happens-before check over bytes, and taint.
#include <algorithm>

#include "core.h"

namespace emu {

// ordered tells whether a remembered access is known complete before the current one starts.
bool ordered(const Rec& r, const Clock& known, uint32_t foreign, bool local)
{
    if (r.idx <= run->base) {
        return true;
    }
    uint32_t block = r.tag >> 8;
    int pipe = (r.tag >> 2) & 63;
    Block& b = *here.b;
    if (block == b.id) { // the scalar unit does one thing after the other
        if (r.idx <= known.v[pipe] || (pipe == kS && here.p == kS)) {
            return true;
        }
    } else if (local) { // by an earlier block on the same core
        return true;
    }
    // what other blocks knew, of this one too, when they let it go on
    const Foreign& f = b.foreign[foreign];
    return block < f.of.size() && r.idx <= f.of[block].v[pipe];
}

static void race(const Rec& r, Access kind, const Opnd& o, uint64_t addr)
{
    static const char* const verbs[] = {"reads", "writes", "adds to"};
    uint32_t block = r.tag >> 8;
    int pipe = (r.tag >> 2) & 63;
    const Block& other = *run->all[block];
    const std::vector<Step>& log = other.pipe[pipe].log;
    size_t at = r.idx - other.base - 1;
    Step s = at < log.size() ? log[at] : Step{0, kOps};
    const char* fix = block != here.b->id ? "a SyncAll or a kernel end between them"
        : pipe == here.p ? "a PipeBarrier between them" : "a flag between the pipes";
    const char* rule = block != here.b->id ? "race-blocks" : pipe == here.p ? "race-barrier"
        : "race";
    unsigned long long where = o.mem == kGM ? addr - regionOf(addr)->lo : addr;
    report(rule, here.line, s.line,
        "%s on pipe %s %s byte %llu of %s while %s on pipe %s of block %u %s it: needs %s",
        opName(here.op), pipeName(here.p), verbs[kind], where, memName(o.mem), opName(s.op),
            pipeName(pipe),
        block, verbs[r.tag & 3], fix);
}

static void addRec(Cell& c, const Rec& r)
{
    if (c.n < 3) {
        c.r[c.n++] = r;
        return;
    }
    if (c.more == nullptr) {
        c.more = new std::vector<Rec>();
    }
    c.more->push_back(r);
}

static void dropEmpty(Cell& c)
{
    if (c.more != nullptr) {
        std::vector<Rec>& m = *c.more;
        m.erase(std::remove_if(m.begin(), m.end(), [](const Rec& r) { return r.mask == 0; }),
            m.end());
    }
    for (uint32_t i = 0; i < c.n;) {
        if (c.r[i].mask != 0) {
            i++;
            continue;
        }
        c.r[i] = c.r[--c.n];
        if (c.more != nullptr && !c.more->empty()) {
            c.r[c.n++] = c.more->back();
            c.more->pop_back();
        }
    }
}

// conflicts decides a pair of accesses; products may follow each other on L0C when large enough.
static inline bool conflicts(const Rec& r, Access kind)
{
    Access was = static_cast<Access>(r.tag & 3);
    if (kind == kRead && was == kRead) {
        return false;
    }
    return !(kind == kAtomic && was == kAtomic);
}

static inline void visit(Rec& r, uint32_t tag, uint32_t mask, Access kind, const Opnd& o,
    uint64_t addr)
{
    uint32_t common = r.mask & mask;
    if (common == 0) {
        return;
    }
    bool self = r.idx == here.idx && (r.tag ^ tag) >> 2 == 0;
    if (conflicts(r, kind) && !self) {
        const PipeState& p = here.b->pipe[here.p];
        if (!ordered(r, p.known, p.foreign, o.mem != kGM)) {
            bool allowed = here.accumulates && o.mem == kL0C && ((r.tag >> 2) & 63) == kM;
            if (!allowed) {
                race(r, kind, o, addr);
            }
        }
    }
    if (kind == kWrite || r.tag == tag) {
        r.mask &= ~mask;
    }
}

static inline void touchCell(Cell& c, uint32_t mask, Access kind, const Opnd& o, uint64_t addr)
{
    uint32_t tag = here.b->id << 8 | static_cast<uint32_t>(here.p) << 2 | kind;
    if (c.n == 1 && c.r[0].tag == tag && c.r[0].idx == here.idx && c.more == nullptr) {
        c.r[0].mask |= mask;
        return;
    }
    bool empty = false;
    uint32_t vacant = c.n;
    for (uint32_t i = 0; i < c.n; i++) {
        visit(c.r[i], tag, mask, kind, o, addr);
        if (c.r[i].mask == 0) {
            empty = empty || vacant < c.n;
            vacant = i;
        }
    }
    bool last = mask == ~0u && kind == kWrite; // nothing before it matters any more
    if (vacant < c.n && (last || !empty) && c.more == nullptr) {
        vacant = last ? 0 : vacant;
        c.n = last ? 1 : c.n;
        c.r[vacant] = Rec{here.idx, mask, tag};
        return;
    }
    empty = empty || vacant < c.n;
    if (c.more != nullptr) {
        for (Rec& r : *c.more) {
            visit(r, tag, mask, kind, o, addr);
            empty = empty || r.mask == 0;
        }
    }
    if (empty) {
        dropEmpty(c);
    }
    addRec(c, Rec{here.idx, mask, tag});
}

static bool exempt(const Region& r, uint64_t off)
{
    auto it = std::upper_bound(r.undefined.begin(), r.undefined.end(), off,
        [](uint64_t v, const Span& s) { return v < s.off; });
    return it != r.undefined.begin() && off < (it - 1)->off + (it - 1)->len;
}

// exemptMask has a bit for each byte of a cell that does not count as output.
static uint32_t exemptMask(const Region& r, uint64_t cellAddr)
{
    if (r.undefined.empty() && cellAddr >= r.lo && cellAddr + kGrain <= r.hi) {
        return 0;
    }
    uint32_t m = 0;
    for (uint32_t k = 0; k < kGrain; k++) {
        uint64_t a = cellAddr + k;
        if (a < r.lo || a >= r.hi || exempt(r, a - r.lo)) {
            m |= 1u << k;
        }
    }
    return m;
}

static GmPage* pageOf(Region& r, uint64_t addr)
{
    uint64_t number = addr / kPage;
    if (r.lastNumber == number) {
        return r.lastPage;
    }
    std::unique_ptr<GmPage>& p = r.pages[number];
    if (p == nullptr) {
        p.reset(new GmPage());
        bool undefined = r.role == kOut || r.role == kWorkspace;
        for (uint32_t i = 0; i < kPage / kGrain; i++) {
            uint64_t cell = number * kPage + i * kGrain;
            p->taint[i] = undefined ? ~0u : r.undefined.empty() ? 0 : exemptMask(r, cell);
        }
    }
    r.lastNumber = number;
    r.lastPage = p.get();
    return p.get();
}

const Cell* gmCell(Region& r, uint64_t addr)
{
    return r.shadowed ? &pageOf(r, addr)->cells[addr % kPage / kGrain] : nullptr;
}

// taintCell is null where every byte is known to be defined.
uint32_t* taintCell(const Opnd& o, uint64_t addr)
{
    if (o.mem != kGM) {
        return &here.b->mem->shadow[o.mem].taint[addr / kGrain];
    }
    Region* r = regionOf(addr);
    return r != nullptr && r->shadowed ? &pageOf(*r, addr)->taint[addr % kPage / kGrain] : nullptr;
}

static Cell* cellOf(const Opnd& o, uint64_t addr)
{
    if (o.mem != kGM) {
        return &here.b->mem->shadow[o.mem].cells[addr / kGrain];
    }
    Region* r = regionOf(addr);
    return r != nullptr && r->shadowed ? &pageOf(*r, addr)->cells[addr % kPage / kGrain] : nullptr;
}

// maskOf gives the bytes of the cell at `cell` that lie in [addr, addr+bytes).
static inline uint32_t maskOf(uint64_t cell, uint64_t addr, uint64_t bytes)
{
    uint64_t from = addr > cell ? addr - cell : 0;
    uint64_t to = addr + bytes - cell;
    uint32_t m = to >= kGrain ? ~0u : (1u << to) - 1u;
    return m & (from == 0 ? ~0u : ~((1u << from) - 1u));
}

void touch(const Opnd& o, uint64_t addr, uint64_t bytes, Access kind)
{
    if (!run->checks || bytes == 0) {
        return;
    }
    Region* r = nullptr;
    if (o.mem == kGM) {
        r = regionOf(addr);
        if (kind != kRead && r->role == kIn) {
            report("store-to-input", here.line, 0, "%s writes argument %d, which is an input",
                opName(here.op), r->arg);
        }
        if (!r->shadowed) {
            return;
        }
    }
    Cell* local = r != nullptr ? nullptr : here.b->mem->shadow[o.mem].cells.data();
    for (uint64_t cell = addr / kGrain * kGrain; cell < addr + bytes; cell += kGrain) {
        Cell& c = r != nullptr ? pageOf(*r, cell)->cells[cell % kPage / kGrain]
                               : local[cell / kGrain];
        touchCell(c, maskOf(cell, addr, bytes), kind, o, cell > addr ? cell : addr);
    }
}

void touchMask(const Opnd& o, uint64_t addr, uint32_t mask, Access kind)
{
    if (mask != 0 && run->checks) {
        touchCell(*cellOf(o, addr), mask, kind, o, addr + __builtin_ctz(mask));
    }
}

// wholeCells tells whether bytes are cells of a local memory, whose taint is one array.
static inline bool wholeCells(const Opnd& o, uint64_t addr, uint64_t bytes)
{
    return o.mem != kGM && addr % kGrain == 0 && bytes % kGrain == 0;
}

bool tainted(const Opnd& o, uint64_t addr, uint64_t bytes)
{
    if (wholeCells(o, addr, bytes)) {
        const uint32_t* t = &here.b->mem->shadow[o.mem].taint[addr / kGrain];
        uint32_t any = 0;
        for (uint64_t k = 0; k < bytes / kGrain; k++) {
            any |= t[k];
        }
        return any != 0;
    }
    if (o.mem == kGM && !regionOf(addr)->shadowed) {
        return false;
    }
    for (uint64_t cell = addr / kGrain * kGrain; cell < addr + bytes; cell += kGrain) {
        const uint32_t* t = taintCell(o, cell);
        if (t != nullptr && (*t & maskOf(cell, addr, bytes)) != 0) {
            return true;
        }
    }
    return false;
}

void setTaint(const Opnd& o, uint64_t addr, uint64_t bytes, bool on)
{
    if (!run->checks || (o.mem == kGM && !regionOf(addr)->shadowed)) {
        return;
    }
    if (wholeCells(o, addr, bytes)) {
        uint32_t* t = &here.b->mem->shadow[o.mem].taint[addr / kGrain];
        std::fill(t, t + bytes / kGrain, on ? ~0u : 0u);
        return;
    }
    for (uint64_t cell = addr / kGrain * kGrain; cell < addr + bytes; cell += kGrain) {
        uint32_t m = maskOf(cell, addr, bytes);
        uint32_t* t = taintCell(o, cell);
        *t = on ? *t | m : *t & ~m;
    }
}

// copyCells is copyTaint where source and destination lie alike in their cells.
static void copyCells(const Opnd& d, uint64_t to, const Opnd& s, uint64_t from, uint64_t bytes,
    bool merge)
{
    uint64_t first = from / kGrain * kGrain;
    for (uint64_t cell = first; cell < from + bytes; cell += kGrain) {
        uint32_t* t = taintCell(d, to / kGrain * kGrain + (cell - first));
        if (t == nullptr) {
            continue;
        }
        const uint32_t* f = taintCell(s, cell);
        uint32_t m = maskOf(cell, from, bytes), on = f != nullptr ? *f & m : 0;
        *t = merge ? *t | on : (*t & ~m) | on;
    }
}

// copyTaint moves the taint of bytes along with them; merge keeps what the destination had
// (atomics).
void copyTaint(const Opnd& d, uint64_t to, const Opnd& s, uint64_t from, uint64_t bytes, bool merge)
{
    if (!run->checks || bytes == 0) {
        return;
    }
    if (!tainted(s, from, bytes)) {
        if (!merge) {
            setTaint(d, to, bytes, false);
        }
        return;
    }
    if (to % kGrain == from % kGrain) {
        copyCells(d, to, s, from, bytes, merge);
        return;
    }
    for (uint64_t k = 0; k < bytes; k++) {
        const uint32_t* st = taintCell(s, from + k);
        bool on = st != nullptr && (*st >> ((from + k) % kGrain) & 1) != 0;
        if (on || !merge) {
            setTaint(d, to + k, 1, on);
        }
    }
}

// storeCheck reports undefined bytes that have just been stored where they count as output.
void storeCheck(const Opnd& o, uint64_t addr, uint64_t bytes)
{
    if (!run->checks) {
        return;
    }
    Region* r = regionOf(addr);
    if (r == nullptr || !r->shadowed || (r->role != kOut && r->role != kInOut)) {
        return;
    }
    for (uint64_t cell = addr / kGrain * kGrain; cell < addr + bytes; cell += kGrain) {
        uint32_t m = *taintCell(o, cell) & maskOf(cell, addr, bytes);
        if (m != 0) {
            m &= ~exemptMask(*r, cell);
        }
        if (m != 0) {
            report("taint-output", here.line, 0,
                "%s stores a value made from undefined bytes at byte %llu of argument %d",
                    opName(here.op),
                (unsigned long long)(cell + __builtin_ctz(m) - r->lo), r->arg);
            return;
        }
    }
}

static bool unwritten(Region& r, uint64_t* at)
{
    for (uint64_t cell = r.lo / kGrain * kGrain; cell < r.hi; cell += kGrain) {
        auto page = r.pages.find(cell / kPage);
        uint32_t t = page == r.pages.end() ? ~0u : page->second->taint[cell % kPage / kGrain];
        if (t != 0) {
            t &= ~exemptMask(r, cell);
        }
        if (t != 0) {
            *at = cell + __builtin_ctz(t) - r.lo;
            return true;
        }
    }
    return false;
}

// finishOutputs reports outputs that hold undefined bytes when the kernel has ended.
void finishOutputs()
{
    for (Region& r : run->regions) {
        uint64_t at = 0;
        if (r.role == kOut && unwritten(r, &at)) {
            report("output-undefined", 0, 0,
                "byte %llu of argument %d is still undefined when the kernel ends",
                (unsigned long long)at, r.arg);
        }
    }
}

} // namespace emu
