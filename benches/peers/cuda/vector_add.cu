// The same work in CUDA. Answers the commands that src/main.rs describes; `vector_add pageable` and `vector_add pinned`.
//
// pageable: cudaMemcpyAsync from and to the caller's slices.
// pinned:   the caller's slices go through pinned memory; in place, they are pinned memory.
//
// Device memory, pinned memory and the stream are made once per work. Results go into memory that was used before.

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

static void ok(cudaError_t error, const char *what) {
    if (error != cudaSuccess) throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}
#define OK(call) ok((call), #call)

__global__ void add4(const float4 *a, const float4 *b, float4 *sum, size_t n) {
    size_t i = blockIdx.x * size_t(blockDim.x) + threadIdx.x;
    if (i < n) {
        float4 x = a[i], y = b[i];
        sum[i] = make_float4(x.x + y.x, x.y + y.y, x.z + y.z, x.w + y.w);
    }
}

// Memory of the device or of the host, pinned.
struct Memory {
    float *at = nullptr;
    bool pinned;
    Memory(size_t n, bool pinned) : pinned(pinned) {
        size_t bytes = n * sizeof(float);
        if (pinned) OK(cudaMallocHost(&at, bytes));
        else OK(cudaMalloc(&at, bytes));
    }
    ~Memory() { pinned ? cudaFreeHost(at) : cudaFree(at); }
    Memory(const Memory &) = delete;
    Memory &operator=(const Memory &) = delete;
};

static float filled(uint32_t i, uint32_t seed) { return float(int32_t((i + seed) & 0x7FFFFF)); }

static void fill(float *input, size_t n, uint32_t seed) {
    for (size_t i = 0; i < n; i++) input[i] = filled(uint32_t(i), seed);
}

static uint32_t checksum(const float *output, size_t n) {
    uint32_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, output + i, sizeof bits);
        sum += bits;
    }
    return sum;
}

struct Work {
    size_t tasks, n, all;
    std::vector<float> a, b, sum;
    // On the device, with room for vectors of four.
    Memory device_a, device_b, device_sum;
    // Pinned.
    Memory host_a, host_b, host_sum;
    cudaStream_t stream;
    uint32_t seed = 0, read = 0;

    Work(size_t tasks, size_t n)
        : tasks(tasks), n(n), all(tasks * n), a(all), b(all), sum(all, 1.0f), device_a(all + 4, false),
          device_b(all + 4, false), device_sum(all + 4, false), host_a(all, true), host_b(all, true), host_sum(all, true) {
        uint64_t state = 0x5EED;
        auto random = [&state] {
            state = state * 6364136223846793005u + 1442695040888963407u;
            return float(int32_t(state >> 40)) / 8388608.0f - 1.0f;
        };
        for (auto *vector : {&a, &b})
            for (float &element : *vector) element = random();
        OK(cudaStreamCreate(&stream));
    }
    ~Work() { cudaStreamDestroy(stream); }
    Work(const Work &) = delete;

    void kernel(size_t from, size_t count) {
        size_t fours = (count + 3) / 4;
        add4<<<unsigned((fours + 255) / 256), 256, 0, stream>>>((const float4 *)(device_a.at + from),
            (const float4 *)(device_b.at + from), (float4 *)(device_sum.at + from), fours);
    }
    void copy(float *to, const float *from, size_t count, cudaMemcpyKind kind) {
        OK(cudaMemcpyAsync(to, from, count * sizeof(float), kind, stream));
    }
    void wait() {
        OK(cudaGetLastError());
        OK(cudaStreamSynchronize(stream));
    }

    // In and out through the device; `from` counts elements.
    void transfer(size_t from, size_t count, const float *in_a, const float *in_b, float *out) {
        copy(device_a.at + from, in_a + from, count, cudaMemcpyHostToDevice);
        copy(device_b.at + from, in_b + from, count, cudaMemcpyHostToDevice);
        kernel(from, count);
        copy(out + from, device_sum.at + from, count, cudaMemcpyDeviceToHost);
    }
    void pageable() {
        transfer(0, all, a.data(), b.data(), sum.data());
        wait();
    }
    void pinned() {
        memcpy(host_a.at, a.data(), all * sizeof(float));
        memcpy(host_b.at, b.data(), all * sizeof(float));
        transfer(0, all, host_a.at, host_b.at, host_sum.at);
        wait();
        memcpy(sum.data(), host_sum.at, all * sizeof(float));
    }
    void in_place() {
        seed++;
        fill(host_a.at, all, seed);
        fill(host_b.at, all, ~seed);
        transfer(0, all, host_a.at, host_b.at, host_sum.at);
        wait();
        read = checksum(host_sum.at, all);
    }
    // Copies and a kernel per task, one wait for all.
    void pageable_batch() {
        for (size_t task = 0; task < tasks; task++) transfer(task * n, n, a.data(), b.data(), sum.data());
        wait();
    }
    // Copies, a kernel and a wait per task.
    void pageable_one_by_one() {
        for (size_t task = 0; task < tasks; task++) {
            transfer(task * n, n, a.data(), b.data(), sum.data());
            wait();
        }
    }
    // Tasks packed into pinned memory, one kernel for all.
    void pinned_batch() {
        for (size_t task = 0; task < tasks; task++) {
            memcpy(host_a.at + task * n, a.data() + task * n, n * sizeof(float));
            memcpy(host_b.at + task * n, b.data() + task * n, n * sizeof(float));
        }
        transfer(0, all, host_a.at, host_b.at, host_sum.at);
        wait();
        for (size_t task = 0; task < tasks; task++)
            memcpy(sum.data() + task * n, host_sum.at + task * n, n * sizeof(float));
    }

    void check(const std::string &method) {
        auto same = [this](size_t at, float device, float cpu) {
            if (device == cpu) return;
            std::ostringstream message;
            message << "wrong result: element " << at << " is " << device << ", the CPU has " << cpu;
            throw std::runtime_error(message.str());
        };
        if (method == "in-place") {
            std::vector<float> cpu(all);
            for (size_t i = 0; i < all; i++) {
                cpu[i] = filled(uint32_t(i), seed) + filled(uint32_t(i), ~seed);
                same(i, host_sum.at[i], cpu[i]);
            }
            if (checksum(cpu.data(), all) != read) throw std::runtime_error("wrong result: the checksum differs");
            return;
        }
        for (size_t i = 0; i < all; i++) same(i, sum[i], a[i] + b[i]);
    }
};

typedef void (Work::*Method)();

int main(int count, char **arguments) {
    std::string peer = count > 1 ? arguments[1] : "";
    std::map<std::string, Method> methods;
    if (peer == "pageable")
        methods = {{"run", &Work::pageable}, {"batch", &Work::pageable_batch}, {"one-by-one", &Work::pageable_one_by_one}};
    else if (peer == "pinned")
        methods = {{"run", &Work::pinned}, {"in-place", &Work::in_place}, {"batch", &Work::pinned_batch}};
    else {
        std::cerr << "usage: vector_add pageable | vector_add pinned" << std::endl;
        return 1;
    }
    cudaDeviceProp properties;
    int devices = 0;
    cudaError_t error = cudaGetDeviceCount(&devices);
    if (error == cudaSuccess) error = cudaGetDeviceProperties(&properties, 0);
    if (error != cudaSuccess) {
        std::cout << "absent no NVIDIA device: " << cudaGetErrorString(error) << std::endl;
        return 0;
    }
    std::cout << "peer " << properties.name << std::endl;

    Work *work = nullptr;
    std::string line;
    while (std::getline(std::cin, line)) try {
        std::istringstream words(line);
        std::string command, method;
        words >> command >> method;
        if (command == "work") {
            delete work;
            work = nullptr;
            size_t x = method.find('x');
            size_t first = std::stoul(method), n = x == std::string::npos ? first : std::stoul(method.substr(x + 1));
            work = new Work(x == std::string::npos ? 1 : first, n);
            std::cout << "ready" << std::endl;
            continue;
        }
        if (!work) throw std::runtime_error("no work yet");
        if (!methods.count(method)) {
            std::cout << "absent it has no method `" << method << "`" << std::endl;
            continue;
        }
        auto call = [&] { (work->*methods[method])(); };
        if (command == "open" || command == "check") {
            std::fill(work->sum.begin(), work->sum.end(), 1.0f);
            call();
            work->check(method);
            std::cout << (command == "open" ? "ready" : "right") << std::endl;
        } else if (command == "calls") {
            size_t warm = 0, n = 0;
            words >> warm >> n;
            for (size_t i = 0; i < warm; i++) call();
            std::ostringstream answer;
            answer << "nanos";
            for (size_t i = 0; i < n; i++) {
                auto start = std::chrono::steady_clock::now();
                call();
                auto wall = std::chrono::steady_clock::now() - start;
                answer << ' ' << std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count();
            }
            std::cout << answer.str() << std::endl;
        } else
            throw std::runtime_error("no such command");
    } catch (const std::exception &error) {
        std::cerr << "cuda " << peer << " (" << properties.name << "), at `" << line << "`: " << error.what() << std::endl;
        return 1;
    }
    delete work;
    return 0;
}
