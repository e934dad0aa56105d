// The kernels of field_mul, sha256, keccak256 and merkle_root in CUDA, as one writes them without much ado, timed by events.
//
// operators NAME N CALLS  prints `NAME MEDIAN_NS CALLS CHECKSUM` for each kernel of that name over N elements: elements and
// messages are generated as examples/operators.rs does, which compares the checksum, the sum of all words of the output.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

static void ok(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return;
    fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
    exit(1);
}
#define OK(call) ok((call), #call)

struct Random {
    uint64_t state;
    uint64_t next() {
        uint64_t z = state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
};

// ---- The scalar field of BN254, in Montgomery form with R = 2^256.

__constant__ uint32_t P[8] = {0xf0000001, 0x43e1f593, 0x79b97091, 0x2833e848, 0x8181585d, 0xb85045b6, 0xe131a029, 0x30644e72};

// Eight limbs of 32 bits, coarsely integrated operand scanning, sums in 64 bits.
__global__ void field_words(const uint32_t *a, const uint32_t *b, uint32_t *out, uint32_t n, uint32_t products) {
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uint32_t x[8], y[8];
#pragma unroll
    for (int j = 0; j < 8; j++) x[j] = a[8 * i + j], y[j] = b[8 * i + j];
    for (uint32_t done = 0; done < products; done++) {
        uint32_t t[9] = {0};
#pragma unroll
        for (int k = 0; k < 8; k++) {
            uint64_t carry = 0;
#pragma unroll
            for (int j = 0; j < 8; j++) {
                carry += uint64_t(x[k]) * y[j] + t[j];
                t[j] = uint32_t(carry);
                carry >>= 32;
            }
            t[8] = uint32_t(carry);
            uint32_t m = t[0] * 0xefffffffu;
            carry = (uint64_t(m) * P[0] + t[0]) >> 32;
#pragma unroll
            for (int j = 1; j < 8; j++) {
                carry += uint64_t(m) * P[j] + t[j];
                t[j - 1] = uint32_t(carry);
                carry >>= 32;
            }
            t[7] = uint32_t(carry + t[8]);
        }
        // Below 2p; take p unless that is negative.
        uint32_t z[8];
        int64_t d = 0;
#pragma unroll
        for (int j = 0; j < 8; j++) {
            d += int64_t(t[j]) - P[j];
            z[j] = uint32_t(d);
            d >>= 32;
        }
#pragma unroll
        for (int j = 0; j < 8; j++) x[j] = d < 0 ? t[j] : z[j];
    }
#pragma unroll
    for (int j = 0; j < 8; j++) out[8 * i + j] = x[j];
}

__constant__ uint32_t P29[9] = {0x10000001, 0x1f0fac9f, 0xe5c2450, 0x7d090f3, 0x1585d283, 0x2db40c0, 0xa6e141, 0xe5c2634, 0x30644e};

// Nine limbs of 29 bits, as shaders/field_mul_int64.wgsl has them.
__global__ void field_limbs(const uint32_t *a, const uint32_t *b, uint32_t *out, uint32_t n, uint32_t products) {
    const uint32_t MASK = 0x1fffffff;
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uint32_t x[9], y[9];
    auto cut = [&](const uint32_t *words, uint32_t *limbs) {
#pragma unroll
        for (int j = 0; j < 9; j++) {
            int word = 29 * j / 32, bit = 29 * j % 32;
            uint64_t both = words[word] | (word < 7 ? uint64_t(words[word + 1]) << 32 : 0);
            limbs[j] = uint32_t(both >> bit) & MASK;
        }
    };
    auto take = [&](uint32_t *v) {
        uint32_t z[9];
        int32_t d = 0;
#pragma unroll
        for (int j = 0; j < 9; j++) {
            d = (d >> 29) + int32_t(v[j]) - int32_t(P29[j]);
            z[j] = uint32_t(d) & MASK;
        }
#pragma unroll
        for (int j = 0; j < 9; j++) v[j] = d < 0 ? v[j] : z[j];
    };
    cut(a + 8 * i, x);
    cut(b + 8 * i, y);
#pragma unroll
    for (int j = 8; j > 0; j--) y[j] = ((y[j] << 5) | (y[j - 1] >> 24)) & MASK;
    y[0] = (y[0] << 5) & MASK;
    for (uint32_t done = 0; done < products; done++) {
        uint64_t t[9] = {0};
#pragma unroll
        for (int k = 0; k < 9; k++) {
            uint64_t low = t[0] + uint64_t(x[k]) * y[0];
            uint32_t m = (uint32_t(low) * 0xfffffffu) & MASK;
            low = (low + uint64_t(m) * P29[0]) >> 29;
#pragma unroll
            for (int j = 1; j < 9; j++) t[j - 1] = t[j] + uint64_t(x[k]) * y[j] + uint64_t(m) * P29[j];
            t[0] += low;
            t[8] = 0;
        }
        uint64_t carry = 0;
#pragma unroll
        for (int j = 0; j < 9; j++) {
            carry += t[j];
            x[j] = uint32_t(carry) & MASK;
            carry >>= 29;
        }
    }
    take(x);
    take(x);
#pragma unroll
    for (int w = 0; w < 8; w++) {
        int limb = 32 * w / 29, bit = 32 * w % 29;
        uint64_t both = x[limb] | uint64_t(x[limb + 1]) << 29 | (limb + 2 < 9 ? uint64_t(x[limb + 2]) << 58 : 0);
        out[8 * i + w] = uint32_t(both >> bit);
    }
}

// ---- Keccak-256.

__constant__ uint64_t RC[24] = {0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088, 0x0000000080008009,
    0x000000008000000A, 0x000000008000808B, 0x800000000000008B, 0x8000000000008089, 0x8000000000008003, 0x8000000000008002,
    0x8000000000000080, 0x000000000000800A, 0x800000008000000A, 0x8000000080008081, 0x8000000000008080, 0x0000000080000001,
    0x8000000080008008};

static __device__ __forceinline__ uint64_t rol(uint64_t x, int n) { return (x << n) | (x >> (64 - n)); }

static __device__ __forceinline__ void keccak_f(uint64_t *a) {
    constexpr int ROTATE[24] = {1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44};
    constexpr int TO[24] = {10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1};
#pragma unroll 1
    for (int round = 0; round < 24; round++) {
        uint64_t c[5];
#pragma unroll
        for (int x = 0; x < 5; x++) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
#pragma unroll
        for (int x = 0; x < 5; x++) {
            uint64_t d = c[(x + 4) % 5] ^ rol(c[(x + 1) % 5], 1);
#pragma unroll
            for (int y = 0; y < 25; y += 5) a[y + x] ^= d;
        }
        uint64_t last = a[1];
#pragma unroll
        for (int i = 0; i < 24; i++) {
            uint64_t moved = a[TO[i]];
            a[TO[i]] = rol(last, ROTATE[i]);
            last = moved;
        }
#pragma unroll
        for (int y = 0; y < 25; y += 5) {
            uint64_t row[5];
#pragma unroll
            for (int x = 0; x < 5; x++) row[x] = a[y + x];
#pragma unroll
            for (int x = 0; x < 5; x++) a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
        }
        a[0] ^= RC[round];
    }
}

// Messages of whole words of 8 bytes, each with its offset and length in bytes.
__global__ void keccak256(const uint2 *table, const uint32_t *words, uint64_t *out, uint32_t n) {
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uint32_t length = table[i].y;
    const uint64_t *message = (const uint64_t *)(words + table[i].x);
    uint64_t a[25] = {0};
    for (uint32_t at = 0; at <= length; at += 136) {
#pragma unroll
        for (int j = 0; j < 17; j++) {
            if (at + 8 * j < length) a[j] ^= message[at / 8 + j];
            if (at + 8 * j == length) a[j] ^= 1;
        }
        if (length - at < 136) a[16] ^= 0x8000000000000000;
        keccak_f(a);
    }
#pragma unroll
    for (int j = 0; j < 4; j++) out[4 * i + j] = a[j];
}

// One level of a tree; a node without a sibling moves up.
__global__ void level(const uint64_t *from, uint64_t *to, uint32_t nodes) {
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (2 * i >= nodes) return;
    uint64_t a[25] = {0};
    if (2 * i + 1 == nodes) {
#pragma unroll
        for (int j = 0; j < 4; j++) a[j] = from[8 * i + j];
    } else {
#pragma unroll
        for (int j = 0; j < 8; j++) a[j] = from[8 * i + j];
        a[8] = 1;
        a[16] = 0x8000000000000000;
        keccak_f(a);
    }
#pragma unroll
    for (int j = 0; j < 4; j++) to[4 * i + j] = a[j];
}

// ---- SHA-256.

__constant__ uint32_t K[64] = {0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static __device__ __forceinline__ uint32_t ror(uint32_t x, int n) { return (x >> n) | (x << (32 - n)); }

// Messages of whole words, each with its offset and length in bytes.
__global__ void sha256(const uint2 *table, const uint32_t *words, uint32_t *out, uint32_t n) {
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uint32_t length = table[i].y;
    const uint32_t *message = words + table[i].x;
    uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
    for (uint32_t at = 0; at < length + 9; at += 64) {
        uint32_t w[16], v[8];
#pragma unroll
        for (int j = 0; j < 16; j++) {
            w[j] = at + 4 * j < length ? __byte_perm(message[at / 4 + j], 0, 0x0123) : 0;
            if (at + 4 * j == length) w[j] = 0x80000000;
        }
        if (length + 9 <= at + 64) w[14] = length >> 29, w[15] = length << 3;
#pragma unroll
        for (int j = 0; j < 8; j++) v[j] = h[j];
#pragma unroll
        for (int r = 0; r < 64; r++) {
            if (r >= 16) {
                uint32_t s0 = w[(r + 1) % 16], s1 = w[(r + 14) % 16];
                w[r % 16] += (ror(s0, 7) ^ ror(s0, 18) ^ (s0 >> 3)) + w[(r + 9) % 16] + (ror(s1, 17) ^ ror(s1, 19) ^ (s1 >> 10));
            }
            uint32_t one = v[7] + (ror(v[4], 6) ^ ror(v[4], 11) ^ ror(v[4], 25)) + ((v[4] & v[5]) ^ (~v[4] & v[6])) + K[r] + w[r % 16];
            uint32_t two = (ror(v[0], 2) ^ ror(v[0], 13) ^ ror(v[0], 22)) + ((v[0] & v[1]) ^ (v[0] & v[2]) ^ (v[1] & v[2]));
#pragma unroll
            for (int j = 7; j > 0; j--) v[j] = v[j - 1];
            v[4] += one;
            v[0] = one + two;
        }
#pragma unroll
        for (int j = 0; j < 8; j++) h[j] += v[j];
    }
#pragma unroll
    for (int j = 0; j < 8; j++) out[8 * i + j] = __byte_perm(h[j], 0, 0x0123);
}

// ---- Host.

template <class T> static T *on_device(const std::vector<T> &from) {
    T *to;
    OK(cudaMalloc(&to, from.size() * sizeof(T)));
    OK(cudaMemcpy(to, from.data(), from.size() * sizeof(T), cudaMemcpyHostToDevice));
    return to;
}

int main(int count, char **arguments) {
    if (count != 4) {
        fprintf(stderr, "usage: operators field_chain|sha256|keccak256|merkle_root N CALLS\n");
        return 1;
    }
    std::string name = arguments[1];
    uint32_t n = atoi(arguments[2]), calls = atoi(arguments[3]);
    Random random{1};
    std::vector<uint64_t> input;
    bool is_field = name == "field_chain", is_tree = name == "merkle_root";
    uint32_t each = is_field || is_tree ? 4 : 8;
    for (uint64_t i = 0; i < uint64_t(n) * (is_field ? 2 : 1); i++)
        for (uint32_t j = 0; j < each; j++) {
            uint64_t word = random.next();
            input.push_back(is_field && j == 3 ? word % 0x3000000000000000 : word);
        }
    std::vector<uint2> table(n);
    for (uint32_t i = 0; i < n; i++) table[i] = make_uint2(16 * i, 64);
    uint64_t *in = on_device(input);
    uint2 *entries = on_device(table);
    std::vector<uint32_t> output(8 * size_t(is_tree ? 1 : n));
    uint32_t *out, *between;
    OK(cudaMalloc(&out, 32 * size_t(n)));
    OK(cudaMalloc(&between, 32 * size_t(n)));
    const uint32_t *a = (const uint32_t *)in, *b = a + 8 * size_t(n);
    uint32_t *result = out;

    // Each block size is tried, and the fastest reported.
    std::vector<std::pair<std::string, std::function<void(uint32_t)>>> kernels;
    auto blocks = [](uint64_t threads, uint32_t block) { return uint32_t((threads + block - 1) / block); };
    if (is_field) {
        kernels.push_back({"words", [&](uint32_t block) { field_words<<<blocks(n, block), block>>>(a, b, out, n, 100); }});
        kernels.push_back({"limbs", [&](uint32_t block) { field_limbs<<<blocks(n, block), block>>>(a, b, out, n, 100); }});
    } else if (name == "sha256")
        kernels.push_back({"plain", [&](uint32_t block) { sha256<<<blocks(n, block), block>>>(entries, a, out, n); }});
    else if (name == "keccak256")
        kernels.push_back({"plain", [&](uint32_t block) { keccak256<<<blocks(n, block), block>>>(entries, a, (uint64_t *)out, n); }});
    else if (is_tree)
        kernels.push_back({"levels", [&](uint32_t block) {
            const uint64_t *from = in;
            uint64_t *to = (uint64_t *)out, *other = (uint64_t *)between;
            for (uint32_t nodes = n; nodes > 1; nodes = (nodes + 1) / 2) {
                level<<<blocks((nodes + 1) / 2, block), block>>>(from, to, nodes);
                from = to;
                std::swap(to, other);
            }
            result = (uint32_t *)from;
        }});
    else return fprintf(stderr, "no kernel is named %s\n", name.c_str()), 1;

    cudaEvent_t begin, end;
    OK(cudaEventCreate(&begin));
    OK(cudaEventCreate(&end));
    for (auto &kernel : kernels) {
        double best = 1e300;
        for (uint32_t block : {64, 128, 256}) {
            std::vector<float> times;
            for (uint32_t call = 0; call < calls + 3; call++) {
                OK(cudaEventRecord(begin));
                kernel.second(block);
                OK(cudaEventRecord(end));
                OK(cudaEventSynchronize(end));
                OK(cudaGetLastError());
                float milliseconds;
                OK(cudaEventElapsedTime(&milliseconds, begin, end));
                if (call >= 3) times.push_back(milliseconds);
            }
            std::sort(times.begin(), times.end());
            best = std::min(best, times[times.size() / 2] * 1e6);
        }
        OK(cudaMemcpy(output.data(), result, output.size() * 4, cudaMemcpyDeviceToHost));
        uint32_t checksum = 0;
        for (uint32_t word : output) checksum += word;
        printf("%s/%s %.0f %u %u\n", name.c_str(), kernel.first.c_str(), best, calls, checksum);
    }
    return 0;
}
