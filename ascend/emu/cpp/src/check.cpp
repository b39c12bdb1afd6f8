// Names, findings and bounds.
#include <cstdarg>
#include <cstdio>

#include "core.h"

namespace emu {

Chip chip;
Launch* run;
Block* cur;
Here here;

constexpr size_t kMaxFindings = 100;

const char* opName(Op op)
{
    static const char* const names[] = {
#define EMU_OP(n) #n,
        EMU_OPS(EMU_OP)
#undef EMU_OP
        "?"};
    return names[op];
}

const char* pipeName(int p)
{
    static const char* const names[] = {"S", "V", "M", "MTE1", "MTE2", "MTE3", "FIX", "?", "ALL"};
    return names[p];
}

const char* memName(int m)
{
    static const char* const names[] = {"GM", "UB", "L1", "L0A", "L0B", "L0C", "BT", "FB"};
    return names[m];
}

const char* pairName(int pair)
{
    static const char* const names[] = {
#define EMU_EVENT(a, b) #a "_" #b,
        EMU_EVENTS(EMU_EVENT)
#undef EMU_EVENT
    };
    return names[pair];
}

Pipe pairFrom(int pair)
{
    static const Pipe pipes[] = {
#define EMU_EVENT(a, b) k##a,
        EMU_EVENTS(EMU_EVENT)
#undef EMU_EVENT
    };
    return pipes[pair];
}

Pipe pairTo(int pair)
{
    static const Pipe pipes[] = {
#define EMU_EVENT(a, b) k##b,
        EMU_EVENTS(EMU_EVENT)
#undef EMU_EVENT
    };
    return pipes[pair];
}

// report records a finding once for each rule, line, other line and operation.
void report(const char* rule, int32_t line, int32_t other, const char* format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    char key[96];
    snprintf(key, sizeof key, "%s/%d/%d/%d", rule, line, other, here.op);
    if (run->findings.size() >= kMaxFindings) {
        run->aborted = true;
        return;
    }
    if (!run->seen.insert(key).second) {
        return;
    }
    Finding f;
    f.rule = rule;
    f.text = text;
    f.block = here.b ? here.b->id : 0;
    f.line = line;
    f.other = other;
    f.pipe = here.p;
    f.op = here.op;
    run->findings.push_back(f);
}

Region* regionOf(uint64_t addr)
{
    std::vector<Region>& all = run->regions;
    size_t lo = 0, hi = all.size();
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (all[mid].hi <= addr) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < all.size() && all[lo].lo <= addr ? &all[lo] : nullptr;
}

static bool globalBounds(const Opnd& o, uint64_t addr, uint64_t bytes)
{
    if (addr < o.lo || bytes > o.hi - addr || addr > o.hi) {
        report("gm-bounds", here.line, 0,
            "%s reaches bytes %lld to %lld of a GlobalTensor declared with %llu bytes",
                opName(here.op),
            (long long)(addr - o.lo), (long long)(addr - o.lo + bytes),
                (unsigned long long)(o.hi - o.lo));
        return false;
    }
    Region* r = regionOf(addr);
    if (r == nullptr || bytes > r->hi - addr) {
        Region* at = r != nullptr ? r : regionOf(o.lo);
        if (at == nullptr) {
            report("gm-bounds", here.line, 0,
                "%s reaches global memory that belongs to no argument",
                opName(here.op));
            return false;
        }
        report("gm-bounds", here.line, 0,
            "%s reaches bytes %lld to %lld of argument %d, which has %llu",
            opName(here.op), (long long)(addr - at->lo), (long long)(addr - at->lo + bytes),
                at->arg,
            (unsigned long long)(at->hi - at->lo));
        return false;
    }
    return true;
}

// bounds checks alignment and extent of a byte range; a range that fails must not be touched.
bool bounds(const Opnd& o, uint64_t addr, uint64_t bytes, uint32_t align)
{
    if (align > 1 && addr % align != 0) {
        report("align", here.line, 0, "%s: address %llu in %s is not aligned to %u bytes",
            opName(here.op),
            (unsigned long long)(o.mem == kGM ? addr - o.lo : addr), memName(o.mem), align);
        return false;
    }
    if (o.mem == kGM) {
        return globalBounds(o, addr, bytes);
    }
    if (addr + bytes > chip.size[o.mem] || addr > chip.size[o.mem]) {
        report("capacity", here.line, 0, "%s reaches byte %llu of %s, which has %u",
            opName(here.op),
            (unsigned long long)(addr + bytes), memName(o.mem), chip.size[o.mem]);
        return false;
    }
    if (run->checks && (addr < o.lo || addr + bytes > o.hi)) {
        report("buffer-bounds", here.line, 0,
            "%s reaches bytes %lld to %lld of a buffer of %llu in %s",
            opName(here.op), (long long)(addr - o.lo), (long long)(addr - o.lo + bytes),
            (unsigned long long)(o.hi - o.lo), memName(o.mem));
        return false;
    }
    return true;
}

uint8_t* pointer(const Opnd& o, uint64_t addr)
{
    return o.mem == kGM ? reinterpret_cast<uint8_t*>(addr) : here.b->mem->bytes[o.mem].data()
        + addr;
}

} // namespace emu
