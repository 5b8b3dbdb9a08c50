//! Queries, keys and values against double precision, up to the last position.

use half::f16;

use crate::device::Device;
use crate::launch::attention::reference::Random;
use crate::shapes::{Loop, Row, Sequence};

const THETA: f64 = 500_000.0;

#[track_caller]
fn check(n_heads: usize, n_kv_heads: usize, head_dim: usize, with_bias: bool) {
    let Some(device) = crate::device_for_test!() else { return };
    let random = &mut Random::fresh();
    let (n_layers, layer) = (3, 1);
    let places =
        [(0, 131_071), (1, 131_071), (0, 131_070), (2, 130_999), (1, 131_009), (0, 131_001)];
    let (bases, capacity) = ([131_000u32, 131_008, 130_990], [72, 64, 90]);
    let row_len = (n_heads + 2 * n_kv_heads) * head_dim;
    let qkv = random.floats(places.len() * row_len);
    let bias = with_bias.then(|| random.floats(row_len));

    let rooms: Vec<[_; 2]> = capacity
        .iter()
        .map(|capacity| {
            let room = vec![f16::NAN; n_layers * n_kv_heads * capacity * head_dim];
            [device.upload(&room).unwrap(), device.upload(&room).unwrap()]
        })
        .collect();
    let mut sequence = Sequence { n_loops: 3, ..Sequence::default() };
    for (r, [keys, values]) in rooms.iter().enumerate() {
        sequence.loops[r] = Loop {
            keys: keys.address(),
            values: values.address(),
            carried: 0,
            base: bases[r],
            capacity: capacity[r] as u32,
        };
    }
    let rows = places.map(|(r#loop, position)| Row { token: 0, position, r#loop, reserved: 0 });
    let n_queries = places.len() * n_heads * head_dim;
    let mut queries = device.upload(&vec![f16::NAN; n_queries + 8]).unwrap();
    let bias_buffer = bias.as_ref().map(|bias| device.upload(bias).unwrap());
    device
        .rotate(
            &device.upload(&rows).unwrap(),
            &device.upload(&[sequence]).unwrap(),
            &device.upload(&qkv).unwrap(),
            bias_buffer.as_ref(),
            &device.upload(&Device::inverse_frequencies(head_dim, THETA)).unwrap(),
            places.len(),
            layer,
            n_heads,
            n_kv_heads,
            head_dim,
            &mut queries,
        )
        .unwrap();
    let queries = device.read(&queries, 0..n_queries + 8).unwrap();
    assert!(queries[n_queries..].iter().all(|x| x.is_nan()));
    let rooms: Vec<[Vec<f16>; 2]> = rooms
        .iter()
        .map(|room| [0, 1].map(|i| device.read(&room[i], 0..room[i].len()).unwrap()))
        .collect();

    let half = head_dim / 2;
    let mut n_written = vec![[0; 2]; 3];
    for (i, (r#loop, position)) in places.into_iter().enumerate() {
        for head in 0..n_heads + 2 * n_kv_heads {
            let start = i * row_len + head * head_dim;
            let number = |j: usize| {
                let bias = bias.as_ref().map_or(0.0, |bias| bias[head * head_dim + j]);
                f64::from(qkv[start + j] + bias)
            };
            let slot = (position - bases[r#loop as usize]) as usize;
            let in_room = |kv_head: usize| {
                ((layer * n_kv_heads + kv_head) * capacity[r#loop as usize] + slot) * head_dim
            };
            let kind = (head >= n_heads) as usize + (head >= n_heads + n_kv_heads) as usize;
            let found = match kind {
                0 => &queries[(i * n_heads + head) * head_dim..][..head_dim],
                1 => &rooms[r#loop as usize][0][in_room(head - n_heads)..][..head_dim],
                _ => &rooms[r#loop as usize][1][in_room(head - n_heads - n_kv_heads)..][..head_dim],
            };
            if kind != 0 {
                n_written[r#loop as usize][kind - 1] += head_dim;
            }
            for pair in 0..half {
                let angle = f64::from(position) * THETA.powf(-2.0 * pair as f64 / head_dim as f64);
                let (sin, cos) = if kind == 2 { (0.0, 1.0) } else { angle.sin_cos() };
                let (x, y) = (number(pair), number(pair + half));
                for (found, expected) in
                    [(found[pair], x * cos - y * sin), (found[pair + half], x * sin + y * cos)]
                {
                    let error = (found.to_f64() - expected).abs();
                    // Half a last place of a half, and little more.
                    let most = expected.abs() / 2048.0 + 1e-6;
                    assert!(error <= most, "row {i} head {head} pair {pair}: {found} {expected}");
                }
            }
        }
    }
    for (room, n_written) in rooms.iter().zip(n_written) {
        for (room, n_written) in room.iter().zip(n_written) {
            assert_eq!(room.iter().filter(|x| !x.is_nan()).count(), n_written);
        }
    }
}

#[test]
fn heads_of_all_widths() {
    check(5, 1, 128, false);
    check(2, 2, 64, true);
    check(3, 1, 32, true);
}

/// A single float for an angle would be wrong by up to 0.004 here.
#[test]
fn angles_of_the_last_position_are_those_of_double_precision() {
    for (pair, (high, low)) in {
        let split = Device::inverse_frequencies(128, THETA);
        split[..64].iter().copied().zip(split[64..].to_vec()).collect::<Vec<_>>()
    }
    .into_iter()
    .enumerate()
    {
        let expected = THETA.powf(-2.0 * pair as f64 / 128.0);
        let found = f64::from(high) + f64::from(low);
        assert!((found - expected).abs() * 131_071.0 < 1e-9, "{pair}: {found} {expected}");
    }
}

#[test]
fn single_frequencies_are_refused() {
    let Some(device) = crate::device_for_test!() else { return };
    let frequencies = device.zeroed(64).unwrap();
    let (rows, sequence) = (device.zeroed(1).unwrap(), device.zeroed(1).unwrap());
    let (qkv, mut queries) = (device.zeroed(384).unwrap(), device.zeroed(128).unwrap());
    let result =
        device.rotate(&rows, &sequence, &qkv, None, &frequencies, 1, 0, 1, 1, 128, &mut queries);
    assert_eq!(
        result.unwrap_err().to_string(),
        "rotate: the inverse frequencies and their rest is 64; expected at least 128"
    );
}
