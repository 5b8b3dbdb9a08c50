//! Slots in their new place, and nothing else written.

use half::f16;

use super::Slots;

#[test]
fn slots_move_and_others_stay() {
    let Some(device) = crate::device_for_test!() else { return };
    for (n_heads, head_dim, slots) in [
        (6, 128, Slots { from_capacity: 70, to_capacity: 90, from: 3, to: 20, n: 67 }),
        (3, 32, Slots { from_capacity: 5, to_capacity: 2, from: 4, to: 1, n: 1 }),
        (112, 64, Slots { from_capacity: 9, to_capacity: 9, from: 0, to: 0, n: 9 }),
        (2, 64, Slots { from_capacity: 9, to_capacity: 9, from: 9, to: 9, n: 0 }),
    ] {
        let number = |i: usize| f16::from_f32((i % 2039) as f32);
        let from: Vec<f16> = (0..n_heads * slots.from_capacity * head_dim).map(number).collect();
        let n_to = n_heads * slots.to_capacity * head_dim;
        let mut to = device.upload(&vec![f16::from_f32(-1.0); n_to]).unwrap();
        let from_buffer = device.upload(&from).unwrap();
        device.copy_slots(&from_buffer, &mut to, n_heads, head_dim, slots).unwrap();
        for (i, found) in device.read(&to, 0..n_to).unwrap().into_iter().enumerate() {
            let (row, column) = (i / head_dim, i % head_dim);
            let (head, slot) = (row / slots.to_capacity, row % slots.to_capacity);
            let expected = match slot.checked_sub(slots.to).filter(|slot| *slot < slots.n) {
                Some(slot) => {
                    from[(head * slots.from_capacity + slots.from + slot) * head_dim + column]
                }
                None => f16::from_f32(-1.0),
            };
            assert_eq!(found, expected, "{slots:?} {i}");
        }
    }
}

#[test]
fn slots_outside_a_room_are_refused() {
    let Some(device) = crate::device_for_test!() else { return };
    let (from, mut to) = (device.zeroed(4 * 32).unwrap(), device.zeroed(4 * 32).unwrap());
    let slots = Slots { from_capacity: 4, to_capacity: 4, from: 2, to: 0, n: 3 };
    let error = device.copy_slots(&from, &mut to, 1, 32, slots).unwrap_err();
    assert_eq!(error.to_string(), "copy_slots: the last slot of from is 5; expected at most 4");
}
