//! Tests of what is said where no device can be used.

use super::*;

fn device(name: &str, capability: (u32, u32)) -> DeviceInfo {
    DeviceInfo {
        index: 0,
        name: name.to_owned(),
        capability,
        n_multiprocessors: 132,
        memory: 80 << 30,
        shared_memory: 232_448,
        driver: (13, 0),
    }
}

#[test]
fn whatever_this_machine_has_there_is_no_panic() {
    match available() {
        Ok(devices) => assert!(!devices.is_empty()),
        Err(reason) => assert_eq!(reason.to_string().lines().count(), 1),
    }
}

#[test]
fn reasons_are_sentences() {
    let cases = [
        (
            Unavailable::NoDriver { other: None },
            "libcuda.so.1 not found: no NVIDIA driver is installed",
        ),
        (
            Unavailable::NoDriver { other: Some("AMD") },
            "libcuda.so.1 not found: no NVIDIA driver is installed; there is a GPU of AMD, but only NVIDIA's are supported",
        ),
        (
            Unavailable::OldDriver { major: 11, minor: 8 },
            "the NVIDIA driver supports CUDA 11.8 and not 12.0: install a newer one",
        ),
    ];
    for (reason, expected) in cases {
        assert_eq!(reason.to_string(), expected);
    }
}

#[test]
fn a_device_says_what_it_is() {
    assert_eq!(
        device("NVIDIA H100", (9, 0)).to_string(),
        "NVIDIA H100, 80.0 GiB, compute capability 9.0, driver for CUDA 13.0"
    );
}

#[test]
fn old_devices_are_left_out() {
    let (old, new) = (device("Tesla V100", (7, 0)), device("RTX 3090", (8, 6)));
    assert_eq!(usable(vec![old.clone(), new.clone()], || None), Ok(vec![new]));
    let reason = usable(vec![old], || None).unwrap_err();
    assert_eq!(reason.to_string(), "Tesla V100 has compute capability 7.0; at least 8.0 is needed");
    assert_eq!(
        usable(Vec::new(), || Some("Intel")),
        Err(Unavailable::NoDevice { other: Some("Intel") })
    );
}

#[test]
fn cards_of_others_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let cards = folder.path();
    assert_eq!(other_maker(cards), None);
    for (card, vendor) in [("card0", "0x10de\n"), ("card1", "0x1002\n")] {
        let device = cards.join(card).join("device");
        fs::create_dir_all(&device).unwrap();
        fs::write(device.join("vendor"), vendor).unwrap();
    }
    assert_eq!(other_maker(cards), Some("AMD"));
    assert_eq!(other_maker(&cards.join("card0")), None);
}
