// The part of AscendCL about kernels. A binary is the program that ascend/emu makes of kernels, with
// what it must be told at its end; each loaded one is a process on the memory of a device.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "state.h"

extern char** environ;

using namespace machine;

namespace {

// Message is little-endian, strings with a length, as the processes of ascend/emu read and write it.
struct Message {
    std::string data;
    size_t at = 0;
    bool bad = false;

    template <typename T> void put(T v) { data.append(reinterpret_cast<const char*>(&v), sizeof v); }
    void text(const std::string& s)
    {
        put<uint32_t>(s.size());
        data += s;
    }
    template <typename T> T get()
    {
        T v = T();
        if (sizeof v > data.size() - at) {
            bad = true;
            return v;
        }
        memcpy(&v, data.data() + at, sizeof v);
        at += sizeof v;
        return v;
    }
    std::string text()
    {
        uint32_t n = get<uint32_t>();
        if (bad || n > data.size() - at) {
            bad = true;
            return "";
        }
        at += n;
        return data.substr(at - n, n);
    }
};

struct Parameter {
    bool pointer;
    uint8_t bytes;
};

struct Kernel {
    std::string name;
    uint8_t task = 0;
    std::vector<Parameter> parameters;
};

struct Binary : Object {
    std::mutex lock;
    pid_t process = -1;
    int link = -1;
    std::map<std::string, Kernel> kernels;

    Binary(int d, uint64_t c) : Object("binary", d, c) {}
    ~Binary() override
    {
        if (link >= 0) close(link);
        if (process > 0) {
            kill(process, SIGKILL);
            waitpid(process, nullptr, 0);
        }
    }
    bool send(const Message& m)
    {
        uint32_t n = m.data.size();
        return whole(&n, 4) && whole(m.data.data(), n);
    }
    bool receive(Message& m)
    {
        uint32_t n;
        if (!fill(&n, 4) || n > 1u << 30) {
            return false;
        }
        m.data.resize(n);
        return fill(&m.data[0], n);
    }

private:
    bool whole(const void* p, size_t n)
    {
        for (const char* c = static_cast<const char*>(p); n > 0;) {
            ssize_t k = ::send(link, c, n, MSG_NOSIGNAL);
            if (k < 0 && errno == EINTR) continue;
            if (k <= 0) return false;
            c += k;
            n -= k;
        }
        return true;
    }
    bool fill(void* p, size_t n)
    {
        for (char* c = static_cast<char*>(p); n > 0;) {
            ssize_t k = read(link, c, n);
            if (k < 0 && errno == EINTR) continue;
            if (k <= 0) return false;
            c += k;
            n -= k;
        }
        return true;
    }
};

// Function is a kernel of a binary; it lives as long as the binary and has no handle to give back.
struct Function {
    std::weak_ptr<Binary> binary;
    std::string kernel;
};

// Arguments are the values of a launch to come.
struct Arguments {
    Function* function;
    std::vector<std::string> values;
    bool complete = false;
};

std::mutex lists;
std::map<uint64_t, std::unique_ptr<Function>> functions;
std::map<uint64_t, std::unique_ptr<Arguments>> arguments;
uint64_t nextName = 0x3000;

constexpr char kMagic[8] = {'M', 'O', 'G', 'E', 'K', 'E', 'R', 'N'};

// trailer reads what stands at the end of a binary: greeting and kinds of kernels, their length, a mark.
bool trailer(const char* path, Message& m)
{
    FILE* f = fopen(path, "rb");
    if (!f) {
        return false;
    }
    char mark[8];
    uint64_t n = 0;
    bool ok = fseek(f, -16, SEEK_END) == 0 && fread(&n, 8, 1, f) == 1 && fread(mark, 8, 1, f) == 1 &&
        memcmp(mark, kMagic, 8) == 0 && n < 1 << 26 && fseek(f, -16 - static_cast<long>(n), SEEK_END) == 0;
    if (ok) {
        m.data.resize(n);
        ok = fread(&m.data[0], 1, n, f) == n;
    }
    fclose(f);
    return ok;
}

bool start(Binary& b, const char* path)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    int memory = fcntl(deviceOf(b.device)->file, F_DUPFD_CLOEXEC, 10);
    posix_spawn_file_actions_adddup2(&files, pair[1], 0);
    posix_spawn_file_actions_adddup2(&files, pair[1], 1);
    posix_spawn_file_actions_adddup2(&files, memory, 3);
    posix_spawnattr_t how;
    posix_spawnattr_init(&how);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&how, &none);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    char* args[] = {const_cast<char*>(path), nullptr};
    int e = posix_spawn(&b.process, path, &files, &how, args, environ);
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&how);
    close(memory);
    close(pair[1]);
    b.link = pair[0];
    if (e != 0) {
        b.process = -1;
    }
    return e == 0;
}

// load starts the process and learns what its kernels take.
bool load(Binary& b, const char* path)
{
    Message end;
    if (!trailer(path, end) || !start(b, path)) {
        return false;
    }
    Message hello;
    hello.data = end.text();
    hello.put<uint64_t>(deviceOf(b.device)->bytes);
    uint32_t n = end.get<uint32_t>();
    for (uint32_t i = 0; i < n && !end.bad; i++) {
        std::string name = end.text();
        b.kernels[name].name = name;
        b.kernels[name].task = end.get<uint8_t>();
    }
    Message answer;
    if (end.bad || !b.send(hello) || !b.receive(answer)) {
        return false;
    }
    n = answer.get<uint32_t>();
    for (uint32_t i = 0; i < n && !answer.bad; i++) {
        Kernel& k = b.kernels[answer.text()];
        answer.get<uint8_t>();
        k.parameters.resize(answer.get<uint32_t>());
        for (Parameter& p : k.parameters) {
            p.pointer = answer.get<uint8_t>() != 0;
            p.bytes = answer.get<uint8_t>();
        }
    }
    return !answer.bad;
}

// Range is what a kernel may reach by one argument: from its address to that of the next argument in the
// same allocation, or to the end of that.
int ranges(const Kernel& k, const std::vector<std::string>& values, int device, std::vector<Memory>& out)
{
    for (size_t i = 0; i < values.size(); i++) {
        if (!k.parameters[i].pointer) {
            continue;
        }
        uint64_t at;
        memcpy(&at, values[i].data(), 8);
        Memory m;
        if (!around(device, at, m)) {
            return blame(kInvalid, "kernel %s: argument %zu is not in the memory of device %d",
                k.name.c_str(), i, device);
        }
        out.push_back(Memory{at, m.at + m.bytes - at});
    }
    for (Memory& a : out) {
        for (const Memory& b : out) {
            if (b.at > a.at && b.at < a.at + a.bytes) {
                a.bytes = b.at - a.at;
            }
        }
    }
    return kOk;
}

int request(const Kernel& k, uint32_t blocks, const std::vector<std::string>& values, int device,
    Message& m)
{
    std::vector<Memory> tensors;
    if (int e = ranges(k, values, device, tensors)) {
        return e;
    }
    m.text(k.name);
    m.put<uint32_t>(blocks);
    m.put<uint8_t>(k.task);
    m.put<uint64_t>(0); // seed
    m.put<uint8_t>(0);  // values and bounds alone
    m.put<uint32_t>(values.size());
    size_t next = 0;
    for (size_t i = 0; i < values.size(); i++) {
        m.put<uint8_t>(k.parameters[i].pointer);
        if (!k.parameters[i].pointer) {
            uint64_t bits = 0;
            memcpy(&bits, values[i].data(), values[i].size());
            m.put<uint64_t>(bits);
            continue;
        }
        const Memory& t = tensors[next++];
        Device* d = deviceOf(device);
        m.put<uint64_t>(reach(device, t.at, t.bytes) - d->base);
        m.put<uint64_t>(t.bytes);
        m.put<uint8_t>(2); // read and written
        m.put<uint32_t>(0);
    }
    m.put<uint8_t>(0); // once
    return kOk;
}

// run executes a launch on the thread of a stream.
int run(Stream& s, Binary& b, const std::string& kernel, const Message& m)
{
    Message answer;
    std::lock_guard<std::mutex> hold(b.lock);
    if (!b.send(m) || !b.receive(answer)) {
        s.said = "kernel " + kernel + ": its process ended";
        return kKernelFailed;
    }
    uint8_t unknown = answer.get<uint8_t>();
    uint32_t findings = answer.get<uint32_t>();
    if (unknown == 0 && findings == 0 && !answer.bad) {
        return kOk;
    }
    std::string rule = answer.text(), text = answer.text();
    s.said = "kernel " + kernel + ": " + rule + ": " + text;
    return kKernelFailed;
}

} // namespace

extern "C" {

int aclrtBinaryLoadFromFile(const char* path, void*, uint64_t* binary)
{
    if (int e = enter("aclrtBinaryLoadFromFile")) return e;
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    if (path[0] != '/') {
        return blame(kInvalid, "aclrtBinaryLoadFromFile takes an absolute path");
    }
    auto b = std::make_shared<Binary>(device, context);
    if (!load(*b, path)) {
        say("no kernels for this machine");
        return kInvalid;
    }
    *binary = keep(b);
    return kOk;
}

int aclrtBinaryUnLoad(uint64_t binary)
{
    int fault = enter("aclrtBinaryUnLoad");
    int device;
    uint64_t context;
    if (int e = current(device, context)) {
        return e;
    }
    auto b = get<Binary>(binary, "binary");
    if (b && b->context != context) {
        return blame(kWrongContext, "aclrtBinaryUnLoad in another context than it was loaded in");
    }
    int e = drop(binary, "binary");
    return fault ? fault : e;
}

int aclrtBinaryGetFunction(uint64_t binary, const char* kernel, uint64_t* function)
{
    if (int e = enter("aclrtBinaryGetFunction")) return e;
    auto b = get<Binary>(binary, "binary");
    if (!b) {
        return kInvalid;
    }
    if (!b->kernels.count(kernel)) {
        say("no such kernel");
        return kInvalid;
    }
    std::lock_guard<std::mutex> hold(lists);
    nextName += 16;
    functions[nextName].reset(new Function{b, kernel});
    *function = nextName;
    return kOk;
}

int aclrtKernelArgsInit(uint64_t function, uint64_t* list)
{
    if (int e = enter("aclrtKernelArgsInit")) return e;
    std::lock_guard<std::mutex> hold(lists);
    auto it = functions.find(function);
    if (it == functions.end()) {
        return kInvalid;
    }
    nextName += 16;
    arguments[nextName].reset(new Arguments{it->second.get(), {}, false});
    *list = nextName;
    return kOk;
}

int aclrtKernelArgsAppend(uint64_t list, const void* value, size_t bytes, uint64_t* parameter)
{
    if (int e = enter("aclrtKernelArgsAppend")) return e;
    std::lock_guard<std::mutex> hold(lists);
    auto it = arguments.find(list);
    if (it == arguments.end() || it->second->complete || it->second->values.size() == 128) {
        return kInvalid;
    }
    it->second->values.emplace_back(static_cast<const char*>(value), bytes);
    *parameter = it->second->values.size();
    return kOk;
}

int aclrtKernelArgsFinalize(uint64_t list)
{
    if (int e = enter("aclrtKernelArgsFinalize")) return e;
    std::lock_guard<std::mutex> hold(lists);
    auto it = arguments.find(list);
    if (it == arguments.end()) {
        return kInvalid;
    }
    it->second->complete = true;
    return kOk;
}

int aclrtLaunchKernelWithConfig(uint64_t function, uint32_t blocks, uint64_t stream, void*, uint64_t list,
    void*)
{
    if (int e = enter("aclrtLaunchKernelWithConfig")) return e;
    std::shared_ptr<Stream> s;
    if (int e = streamOf(stream, s)) {
        return e;
    }
    std::unique_ptr<Arguments> a;
    std::shared_ptr<Binary> b;
    {
        std::lock_guard<std::mutex> hold(lists);
        auto it = arguments.find(list);
        auto f = functions.find(function);
        if (it == arguments.end() || f == functions.end() || !it->second->complete) {
            return kInvalid;
        }
        b = f->second->binary.lock();
        a = std::move(it->second);
        arguments.erase(it);
    }
    if (!b || b->device != s->device) {
        return blame(kInvalid, "a kernel of a binary that was unloaded, or loaded on another device");
    }
    const Kernel& k = b->kernels[a->function->kernel];
    bool fits = a->values.size() == k.parameters.size() && blocks > 0 && blocks < 65536;
    for (size_t i = 0; fits && i < a->values.size(); i++) {
        fits = a->values[i].size() == k.parameters[i].bytes;
    }
    if (!fits) {
        return blame(kInvalid, "kernel %s: arguments that it does not take", k.name.c_str());
    }
    auto m = std::make_shared<Message>();
    if (int e = request(k, blocks, a->values, s->device, *m)) {
        return e;
    }
    std::string name = k.name;
    s->put([b, m, name](Stream& s) { return run(s, *b, name, *m); });
    return kOk;
}

} // extern "C"
