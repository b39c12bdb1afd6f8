// Messages to and from the Go side.
#ifndef EMU_WIRE_H
#define EMU_WIRE_H

#include <unistd.h>

#include "core.h"

namespace emu {

struct Reader {
    std::vector<uint8_t> data;
    size_t at = 0;
    template <typename T> T get()
    {
        T v = T();
        if (at + sizeof(T) <= data.size()) {
            memcpy(&v, data.data() + at, sizeof(T));
        }
        at += sizeof(T);
        return v;
    }
    std::string text()
    {
        uint32_t n = get<uint32_t>();
        std::string s(reinterpret_cast<const char*>(data.data()) + at, n);
        at += n;
        return s;
    }
};

struct Writer {
    std::vector<uint8_t> data;
    template <typename T> void put(T v)
    {
        const uint8_t* p = reinterpret_cast<const uint8_t*>(&v);
        data.insert(data.end(), p, p + sizeof(T));
    }
    void text(const std::string& s)
    {
        put<uint32_t>(static_cast<uint32_t>(s.size()));
        data.insert(data.end(), s.begin(), s.end());
    }
};

static bool readAll(void* p, size_t n)
{
    uint8_t* at = static_cast<uint8_t*>(p);
    while (n > 0) {
        ssize_t k = read(0, at, n);
        if (k <= 0) {
            return false;
        }
        at += k;
        n -= static_cast<size_t>(k);
    }
    return true;
}

static bool readMessage(Reader& r)
{
    uint32_t n = 0;
    if (!readAll(&n, 4)) {
        return false;
    }
    r.data.resize(n);
    r.at = 0;
    return readAll(r.data.data(), n);
}

static void writeMessage(const Writer& w)
{
    uint32_t n = static_cast<uint32_t>(w.data.size());
    std::vector<uint8_t> all(4);
    memcpy(all.data(), &n, 4);
    all.insert(all.end(), w.data.begin(), w.data.end());
    for (size_t at = 0; at < all.size();) {
        ssize_t k = write(1, all.data() + at, all.size() - at);
        if (k <= 0) {
            _exit(1);
        }
        at += static_cast<size_t>(k);
    }
}

} // namespace emu
#endif
