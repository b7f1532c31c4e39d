//! A network of ReLU layers and a last one without activation, from a file that bpcore saved.
//!
//! The file: eight bytes with the length of a header, the header in JSON, the numbers. The header
//! is searched, not parsed: its keys stand there without spaces, and nothing inside of JSON's
//! strings looks like one of them, since there quotes have a backslash before them.

struct Layer {
    inputs: usize,
    weights: Vec<f32>, // (outputs, inputs)
    biases: Vec<f32>,  // (outputs,)
}

pub struct Model {
    layers: Vec<Layer>,
}

/// What stands between two marks.
fn between<'a>(text: &'a str, begin: &str, end: &str) -> Option<&'a str> {
    Some(text.split_once(begin)?.1.split_once(end)?.0)
}

/// (The header, the bytes after it.)
fn parts(file: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = file.split_first_chunk()?;
    let (header, data) = rest.split_at_checked(u64::from_le_bytes(*length).try_into().ok()?)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// The numbers of a tensor in float32.
fn tensor(header: &str, data: &[u8], name: &str) -> Option<Vec<f32>> {
    let entry = between(header, &format!("\"{name}\":{{\"dtype\":\"F32\","), "}")?;
    let (begin, end) = between(entry, "\"data_offsets\":[", "]")?.split_once(',')?;
    let bytes = data.get(begin.parse().ok()?..end.parse().ok()?)?;
    let number = |word: &[u8]| f32::from_le_bytes([word[0], word[1], word[2], word[3]]);
    Some(bytes.chunks_exact(4).map(number).collect())
}

/// The sizes of the layers, where the settings are those of a network as above.
fn sizes(header: &str) -> Option<Vec<usize>> {
    let setting = |begin: &str, end: &str| between(header, begin, end);
    let relu = setting(r#"\"hidden\": ["#, "]")?.split(", ").all(|name| name == r#"\"relu\""#);
    let identity = setting(r#"\"output\": \""#, r#"\""#)? == "identity";
    let standardised = header.contains("\"input.shift\":");
    let sizes = setting(r#"\"sizes\": ["#, "]")?.split(", ").map(|size| size.parse().ok());
    sizes.collect::<Option<Vec<_>>>().filter(|_| relu && identity && !standardised)
}

impl Layer {
    fn new(inputs: usize, outputs: usize, weights: Vec<f32>, biases: Vec<f32>) -> Option<Layer> {
        let fits = biases.len() == outputs && weights.len() == outputs.checked_mul(inputs)?;
        (fits && inputs > 0).then_some(Layer { inputs, weights, biases })
    }

    /// `z[j] = b[j] + sum_i W[j][i] a[i]`, terms in ascending order, each a fused multiply-add.
    fn sums(&self, a: &[f32]) -> Vec<f32> {
        let units = self.weights.chunks_exact(self.inputs).zip(&self.biases);
        units.map(|(w, b)| a.iter().zip(w).fold(*b, |z, (a, w)| a.mul_add(*w, z))).collect()
    }
}

impl Model {
    pub fn read(file: &[u8]) -> Result<Model, &'static str> {
        let (header, data) = parts(file).ok_or("the model is no safetensors file")?;
        let sizes = sizes(header).ok_or("the model has more than ReLU layers and an identity")?;
        let layer = |(number, pair): (usize, &[usize])| {
            let tensor = |what| tensor(header, data, &format!("layers.{number}.{what}"));
            Layer::new(pair[0], pair[1], tensor("weight")?, tensor("bias")?)
        };
        let layers: Option<Vec<_>> = sizes.windows(2).enumerate().map(layer).collect();
        let layers = layers.filter(|layers| !layers.is_empty());
        Ok(Model { layers: layers.ok_or("the model's tensors are missing, or not of float32")? })
    }

    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    pub fn forward(&self, x: &[f32]) -> Vec<f32> {
        let mut a = self.layers[0].sums(x);
        for layer in &self.layers[1..] {
            a.iter_mut().for_each(|z| *z = z.max(0.0));
            a = layer.sums(&a);
        }
        a
    }
}
