// Stands in for AscendCL in tests: the calls that the host program makes, recorded on stdout.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

typedef int aclError;
typedef void *aclrtBinHandle;
typedef void *aclrtFuncHandle;
typedef void *aclrtStream;
enum aclrtMemMallocPolicy { ACL_MEM_MALLOC_HUGE_FIRST, ACL_MEM_MALLOC_HUGE_ONLY, ACL_MEM_MALLOC_NORMAL_ONLY };
static const aclError ACL_SUCCESS = 0;

inline aclError aclInit(const char *) { return 0; }
inline aclError aclFinalize() { return 0; }
inline aclError aclrtSetDevice(int32_t) { return 0; }
inline aclError aclrtResetDevice(int32_t) { return 0; }
inline aclError aclrtCreateStream(aclrtStream *s) { *s = nullptr; return 0; }
inline aclError aclrtDestroyStream(aclrtStream) { return 0; }
inline aclError aclrtSynchronizeStream(aclrtStream) { return 0; }
inline aclError aclrtMalloc(void **p, size_t n, aclrtMemMallocPolicy) { *p = std::malloc(n); return *p ? 0 : 1; }
inline aclError aclrtFree(void *p) { std::free(p); return 0; }
inline aclError aclrtMemset(void *p, size_t max, int32_t v, size_t n) { std::memset(p, v, n); return n <= max ? 0 : 1; }
inline aclError aclrtBinaryLoadFromFile(const char *path, void *, aclrtBinHandle *b)
{
    std::printf("load %s\n", path);
    *b = nullptr;
    return 0;
}
inline aclError aclrtBinaryGetFunction(aclrtBinHandle, const char *name, aclrtFuncHandle *f)
{
    *f = const_cast<char *>(name);
    return 0;
}
struct ArgumentSizes {
    int count = 0;
    size_t bytes[16];
};
typedef ArgumentSizes *aclrtArgsHandle;
typedef void *aclrtParamHandle;
struct aclrtLaunchKernelCfg;
inline aclError aclrtKernelArgsInit(aclrtFuncHandle, aclrtArgsHandle *list)
{
    *list = new ArgumentSizes;
    return 0;
}
inline aclError aclrtKernelArgsAppend(aclrtArgsHandle list, void *, size_t bytes, aclrtParamHandle *)
{
    list->bytes[list->count++] = bytes;
    return 0;
}
inline aclError aclrtKernelArgsFinalize(aclrtArgsHandle) { return 0; }
inline aclError aclrtLaunchKernelWithConfig(aclrtFuncHandle f, uint32_t blocks, aclrtStream, aclrtLaunchKernelCfg *,
                                            aclrtArgsHandle list, void *)
{
    std::printf("launch %s on %u, %d arguments of", static_cast<char *>(f), blocks, list->count);
    for (int i = 0; i < list->count; i++) std::printf(" %zu", list->bytes[i]);
    std::printf(" bytes\n");
    delete list;
    return std::strcmp(static_cast<char *>(f), "broken") == 0 ? 507 : 0;
}
