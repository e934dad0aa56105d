// Ten additions in a row over vectors of f32 that stay on the device, in CUDA; the peer of examples/resident.rs.
//
// resident N  reads a line for each chain: launches ten kernels that alternate between two vectors, waits for the device, and
//             prints the chain's wall time in nanoseconds. At the end of its input it prints `checksum SUM`, the sum of the
//             bits of all elements.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

static void ok(cudaError_t error, const char *what) {
    if (error == cudaSuccess) return;
    fprintf(stderr, "%s: %s\n", what, cudaGetErrorString(error));
    exit(1);
}
#define OK(call) ok((call), #call)

__global__ void add4(const float4 *a, const float4 *b, float4 *sum, size_t n) {
    size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x;
    if (i < n) {
        float4 x = a[i], y = b[i];
        sum[i] = make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
    }
}

int main(int count, char **arguments) {
    if (count != 2) return fprintf(stderr, "usage: resident N\n"), 2;
    size_t n = strtoull(arguments[1], nullptr, 10), vectors = (n + 3) / 4;
    std::vector<float> ones(4 * vectors, 1.0f), from(4 * vectors);
    for (size_t i = 0; i < n; i++) from[i] = float(i % 1000);
    float4 *a, *b, *one;
    OK(cudaMalloc(&a, 16 * vectors));
    OK(cudaMalloc(&b, 16 * vectors));
    OK(cudaMalloc(&one, 16 * vectors));
    OK(cudaMemcpy(a, from.data(), 16 * vectors, cudaMemcpyHostToDevice));
    OK(cudaMemcpy(one, ones.data(), 16 * vectors, cudaMemcpyHostToDevice));
    uint32_t blocks = uint32_t((vectors + 255) / 256);
    char line[64];
    while (fgets(line, sizeof line, stdin)) {
        auto start = std::chrono::steady_clock::now();
        for (int step = 0; step < 10; step++) {
            add4<<<blocks, 256>>>(a, one, b, vectors);
            std::swap(a, b);
        }
        OK(cudaGetLastError());
        OK(cudaDeviceSynchronize());
        auto time = std::chrono::steady_clock::now() - start;
        printf("%lld\n", (long long)std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
        fflush(stdout);
    }
    OK(cudaMemcpy(from.data(), a, 16 * vectors, cudaMemcpyDeviceToHost));
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &from[i], sizeof bits);
        sum += bits;
    }
    printf("checksum %u\n", sum);
}
