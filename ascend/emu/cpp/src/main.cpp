// The process: reads requests from standard input, runs launches on the shared memory behind file
// descriptor 3, answers on standard output. Little-endian, lengths before data.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "wire.h"

namespace emu {

Kernel* Kernel::first = nullptr;
void coldCache(uint64_t base, uint64_t bytes);

static uint8_t* device;
static uint64_t deviceBytes;

static void readChip(Reader& r)
{
    for (int k = 0; k < kMems; k++) {
        chip.size[k] = r.get<uint32_t>();
        chip.usable[k] = r.get<uint32_t>();
    }
    chip.cubes = r.get<uint32_t>();
    chip.vectors = r.get<uint32_t>();
    chip.queueDepth = r.get<uint32_t>();
    chip.reservedIds = r.get<uint32_t>();
    for (int k = 0; k < kScenarios; k++) {
        chip.dram[k] = r.get<double>();
        chip.dramChip[k] = r.get<double>();
    }
    double* rates[] = {&chip.l2Read, &chip.l2Write, &chip.l2Bytes, &chip.l1ToL0A, &chip.l1ToL0B,
        &chip.l1ToUB, &chip.ubToL1, &chip.l0cToUB, &chip.ubToUB, &chip.macs8, &chip.macs16,
        &chip.vectorBytes, &chip.dmaSetup, &chip.scalarIssue, &chip.barrier, &chip.flag,
        &chip.vectorStart, &chip.mmadStart, &chip.slowVector, &chip.cacheMiss};
    for (double* d : rates) {
        *d = r.get<double>();
    }
}

static void readRegion(Reader& r, Launch& l, int arg)
{
    Region g;
    uint64_t off = r.get<uint64_t>(), bytes = r.get<uint64_t>();
    g.lo = reinterpret_cast<uint64_t>(device) + off;
    g.hi = g.lo + bytes;
    g.role = static_cast<Role>(r.get<uint8_t>());
    g.arg = arg;
    uint32_t spans = r.get<uint32_t>();
    for (uint32_t k = 0; k < spans; k++) {
        uint64_t at = r.get<uint64_t>(), len = r.get<uint64_t>();
        g.undefined.push_back(Span{at, len});
    }
    g.shadowed = l.checks && (g.role != kIn || !g.undefined.empty());
    l.slots.push_back(g.lo);
    l.regions.push_back(std::move(g));
}

static Kernel* findKernel(const std::string& name, int pass)
{
    for (Kernel* k = Kernel::first; k != nullptr; k = k->next) {
        if (name == k->name && k->pass == pass) {
            return k;
        }
    }
    return nullptr;
}

static void addBlock(Launch& l, const Kernel* k, bool cube, bool vector, uint32_t index,
    uint32_t sub,
    uint32_t group)
{
    std::unique_ptr<Block> b(new Block());
    b->id = static_cast<uint32_t>(l.all.size());
    b->kernel = k;
    b->cube = cube;
    b->vector = vector;
    b->index = index;
    b->sub = sub;
    b->group = group;
    l.all.push_back(std::move(b));
}

// Kernel types as KERNEL_TASK_TYPE_DEFAULT names them; the Go side sends the number.
enum Task { kWhole, kVectorOnly, kCubeOnly, kMix11, kMix12 };

static void layOut(Launch& l)
{
    l.all.clear();
    for (uint32_t k = 0; k < l.blocks; k++) {
        switch (l.task) {
        case kWhole: addBlock(l, l.kernel[0], true, true, k, 0, k); break;
        case kVectorOnly: addBlock(l, l.kernel[1], false, true, k, 0, k); break;
        case kCubeOnly: addBlock(l, l.kernel[0], true, false, k, 0, k); break;
        default:
            addBlock(l, l.kernel[0], true, false, k, 0, k);
            for (uint32_t s = 0; s < (l.task == kMix12 ? 2u : 1u); s++) {
                addBlock(l, l.kernel[1], false, true, k * (l.task == kMix12 ? 2 : 1) + s, s, k);
            }
        }
    }
}

static void prepareMemory(Launch& l, uint8_t fill)
{
    for (Region& g : l.regions) {
        g.pages.clear();
        g.lastNumber = ~0ull;
        void* p = reinterpret_cast<void*>(g.lo);
        if (g.role == kZeroed) {
            memset(p, 0, g.hi - g.lo);
        } else if (l.checks && (g.role == kOut || g.role == kWorkspace)) {
            memset(p, fill, g.hi - g.lo);
        }
    }
}

static void runOnce(Launch& l, uint8_t fill)
{
    prepareMemory(l, fill);
    layOut(l);
    coldCache(reinterpret_cast<uint64_t>(device), l.timeline ? deviceBytes : 0);
    runLaunch();
    if (l.checks && !l.aborted) {
        here = Here{nullptr, kS, 0, 0, oKernelEnd, false};
        finishOutputs();
    }
}

static std::vector<std::vector<uint8_t>> snapshot(const Launch& l, bool outputs)
{
    std::vector<std::vector<uint8_t>> all;
    for (const Region& g : l.regions) {
        const uint8_t* p = reinterpret_cast<const uint8_t*>(g.lo);
        bool keep = g.role == kInOut || (outputs && g.role == kOut);
        all.emplace_back(p, keep ? p + (g.hi - g.lo) : p);
    }
    return all;
}

static void restore(const Launch& l, const std::vector<std::vector<uint8_t>>& from)
{
    for (size_t k = 0; k < from.size(); k++) {
        if (!from[k].empty()) {
            memcpy(reinterpret_cast<void*>(l.regions[k].lo), from[k].data(), from[k].size());
        }
    }
}

static bool inSpans(const Region& g, uint64_t off)
{
    for (const Span& s : g.undefined) {
        if (off >= s.off && off < s.off + s.len) {
            return true;
        }
    }
    return false;
}

// compareRuns reports the first byte that depends on what undefined memory held or on the order
// chosen.
static void compareRuns(Launch& l, const std::vector<std::vector<uint8_t>>& first)
{
    here = Here{nullptr, kS, 0, 0, oKernelEnd, false};
    for (size_t k = 0; k < first.size(); k++) {
        const Region& g = l.regions[k];
        const uint8_t* now = reinterpret_cast<const uint8_t*>(g.lo);
        for (size_t at = 0; at < first[k].size(); at++) {
            if (first[k][at] != now[at] && !inSpans(g, at)) {
                report("unstable-output", 0, 0, "byte %zu of argument %d differs between two runs",
                    at, g.arg);
                break;
            }
        }
    }
}

static void keepTimeline(Writer& w, Launch& l)
{
    w.put<uint8_t>(l.timeline);
    if (!l.timeline) {
        return;
    }
    w.put<double>(l.gmBytes);
    w.put<double>(l.l2HitBytes);
    for (int s = 0; s < kScenarios; s++) {
        w.put<double>(l.makespan[s]);
    }
    w.put<uint32_t>(static_cast<uint32_t>(l.all.size()));
    for (auto& b : l.all) {
        w.put<uint8_t>(static_cast<uint8_t>(b->cube) * 2 + b->vector);
        for (int s = 0; s < kScenarios; s++) {
            w.put<double>(b->now[s]);
            for (int p = 0; p < kPipes; p++) {
                w.put<double>(b->pipe[p].busy[s]);
            }
        }
    }
    w.put<uint32_t>(static_cast<uint32_t>(l.trace.size()));
    for (const Event& e : l.trace) {
        w.text(e.name);
        w.put<int32_t>(e.line);
        w.put<uint8_t>(e.pipe);
        w.put<uint32_t>(e.block);
        w.put<double>(e.start);
        w.put<double>(e.end);
    }
}

static void putFindings(Writer& w, const Launch& l)
{
    w.put<uint32_t>(static_cast<uint32_t>(l.findings.size()));
    for (const Finding& f : l.findings) {
        w.text(f.rule);
        w.text(f.text);
        w.put<uint32_t>(f.block);
        w.put<int32_t>(f.line);
        w.put<int32_t>(f.other);
        w.put<uint8_t>(f.pipe);
        w.text(opName(f.op));
    }
}

static uint32_t clockBase;

static bool readLaunch(Reader& r, Launch& l)
{
    std::string name = r.text();
    l.blocks = r.get<uint32_t>();
    l.task = r.get<uint8_t>();
    l.seed = r.get<uint64_t>();
    uint8_t options = r.get<uint8_t>();
    l.checks = (options & 1) != 0;
    l.random = (options & 2) != 0;
    l.timeline = (options & 4) != 0;
    l.events = (options & 8) != 0;
    uint32_t args = r.get<uint32_t>();
    for (uint32_t k = 0; k < args; k++) {
        if (r.get<uint8_t>() != 0) {
            readRegion(r, l, static_cast<int>(k));
        } else {
            l.slots.push_back(r.get<uint64_t>());
        }
    }
    std::sort(l.regions.begin(), l.regions.end(), [](const Region& a,
        const Region& b) { return a.lo < b.lo; });
    l.kernel[0] = findKernel(name, k310 ? 0 : 1);
    l.kernel[1] = findKernel(name, 2);
    return l.kernel[0] != nullptr || l.kernel[1] != nullptr;
}

static void launch(Reader& r, Writer& w)
{
    Launch l;
    run = &l;
    if (!readLaunch(r, l)) {
        w.put<uint8_t>(1);
        return;
    }
    bool twice = r.get<uint8_t>() != 0;
    l.base = clockBase;
    std::vector<std::vector<uint8_t>> before;
    if (twice) {
        before = snapshot(l, false);
    }
    runOnce(l, 0xa5);
    clockBase = l.base;
    w.put<uint8_t>(0);
    Writer timeline;
    keepTimeline(timeline, l);
    if (twice && !l.aborted) {
        auto first = snapshot(l, true);
        restore(l, before);
        bool timed = l.timeline;
        l.timeline = l.events = false;
        l.random = true;
        l.seed = l.seed * 31 + 7;
        runOnce(l, 0x7c);
        clockBase = l.base;
        l.timeline = timed;
        if (!l.aborted) {
            compareRuns(l, first);
        }
    }
    putFindings(w, l);
    w.data.insert(w.data.end(), timeline.data.begin(), timeline.data.end());
}

// hello lists the kernels with their arguments.
static void hello(Reader& r, Writer& w)
{
    readChip(r);
    deviceBytes = r.get<uint64_t>();
    void* p = mmap(nullptr, deviceBytes, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0);
    if (p == MAP_FAILED) {
        _exit(2);
    }
    device = static_cast<uint8_t*>(p);
    uint32_t n = 0;
    for (Kernel* k = Kernel::first; k != nullptr; k = k->next) {
        n++;
    }
    w.put<uint32_t>(n);
    for (Kernel* k = Kernel::first; k != nullptr; k = k->next) {
        w.text(k->name);
        w.put<uint8_t>(static_cast<uint8_t>(k->pass));
        w.put<uint32_t>(static_cast<uint32_t>(k->count));
        for (int a = 0; a < k->count; a++) {
            w.put<uint8_t>(k->args[a].pointer);
            w.put<uint8_t>(k->args[a].bytes);
        }
    }
}

} // namespace emu

int main()
{
    emu::Reader r;
    if (!emu::readMessage(r)) {
        return 0;
    }
    emu::Writer w;
    emu::hello(r, w);
    emu::writeMessage(w);
    while (emu::readMessage(r)) {
        emu::Writer out;
        emu::launch(r, out);
        emu::writeMessage(out);
    }
    return 0;
}
