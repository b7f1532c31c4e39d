//! Predicts with a network that bpcore saved, and compares the bits: predict MODEL ROWS.
//!
//! ROWS is text: the inputs of a row, then the outputs that bpcore computed for it.

mod model;

use model::Model;
use std::{env, error::Error, fs, process::ExitCode};

/// (How many rows there are, how many of them have other outputs than bpcore's).
fn compare(model: &Model, rows: &str) -> Result<(usize, usize), Box<dyn Error>> {
    let (mut count, mut differing) = (0, 0);
    for line in rows.lines() {
        let numbers = line.split(' ').map(str::parse).collect::<Result<Vec<f32>, _>>()?;
        let (x, expected) = numbers.split_at_checked(model.inputs()).ok_or("a row is cut")?;
        let bits = |y: &[f32]| y.iter().map(|y| y.to_bits()).collect::<Vec<_>>();
        count += 1;
        differing += usize::from(bits(&model.forward(x)) != bits(expected));
    }
    Ok((count, differing))
}

fn run(arguments: &[String]) -> Result<bool, Box<dyn Error>> {
    let [_, model, rows] = arguments else { return Err("usage: predict MODEL ROWS".into()) };
    let (count, differing) = compare(&Model::read(&fs::read(model)?)?, &fs::read_to_string(rows)?)?;
    println!("{count} rows, {differing} with other bits than bpcore's");
    Ok(count > 0 && differing == 0)
}

fn main() -> ExitCode {
    match run(&env::args().collect::<Vec<_>>()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
