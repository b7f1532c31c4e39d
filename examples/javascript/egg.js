// The network that bpcore wrote as C, from the bytes of its WebAssembly; for node and for pages.

export const INPUTS = 2, OUTPUTS = 3;
const FLOAT = 4, PAGE = 65536; // bytes

export async function network(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes);
    const { memory, __heap_base, egg_forward_rows, egg_certificate } = instance.exports;

    // Activations (rows, OUTPUTS) for x (rows, INPUTS), both Float32Array: they lie behind what the
    // program itself has in its memory.
    function forward(x) {
        const rows = x.length / INPUTS;
        const input = __heap_base.value, output = input + FLOAT * x.length;
        const missing = output + FLOAT * rows * OUTPUTS - memory.buffer.byteLength;
        if (missing > 0) memory.grow(Math.ceil(missing / PAGE));
        new Float32Array(memory.buffer, input, x.length).set(x);
        egg_forward_rows(input, rows, output);
        return new Float32Array(memory.buffer, output, rows * OUTPUTS).slice();
    }

    return { forward, certificate: egg_certificate };
}

// The points (rows, INPUTS) of a picture of the square from -1 to 1, line by line.
export function points(width, height) {
    const x = new Float32Array(width * height * INPUTS);
    for (let i = 0; i < width * height; i++) {
        x[2 * i] = ((i % width) + 0.5) / width * 2 - 1;
        x[2 * i + 1] = (Math.floor(i / width) + 0.5) / height * 2 - 1;
    }
    return x;
}

// The class of each row of activations (rows, OUTPUTS): the first of the highest.
export function classes(activations) {
    return Array.from({ length: activations.length / OUTPUTS }, (_, row) => {
        const y = activations.subarray(row * OUTPUTS, (row + 1) * OUTPUTS);
        return y.indexOf(Math.max(...y));
    });
}
