//! C's hidapi as the driver calls it, over the emulated device: defined here, so the linker does not take the one over USB.
#![expect(unsafe_code, reason = "the driver's C functions, which a test has to define to stand below it")]

use super::device::{Device, REPORT};
use std::ffi::{c_char, c_int, c_uchar, c_ushort, c_void};
use std::ptr::{null, null_mut};
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard};

/// Of the platforms with hidapi over libusb.
type Wide = i32;

/// The device, and a bell for every change of it.
static DEVICE: LazyLock<(Mutex<Device>, Condvar)> = LazyLock::new(|| (Mutex::new(Device::new()), Condvar::new()));
/// Ledger's vendor id.
const LEDGER: c_ushort = 0x2c97;

/// The device, to look at or to change.
pub(crate) fn device<T>(f: impl FnOnce(&mut Device) -> T) -> T {
    let done = f(&mut locked());
    DEVICE.1.notify_all();
    done
}

fn locked() -> MutexGuard<'static, Device> {
    DEVICE.0.lock().unwrap()
}

/// `struct hid_device_info` of hidapi.
#[repr(C)]
pub(crate) struct Info {
    path: *mut c_char,
    vendor_id: c_ushort,
    product_id: c_ushort,
    serial_number: *mut Wide,
    release_number: c_ushort,
    manufacturer: *mut Wide,
    product: *mut Wide,
    usage_page: c_ushort,
    usage: c_ushort,
    interface: c_int,
    next: *mut Self,
}

#[unsafe(no_mangle)]
extern "C" fn hid_init() -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn hid_exit() -> c_int {
    0
}

/// One device; never freed, a test is short.
#[unsafe(no_mangle)]
extern "C" fn hid_enumerate(_vendor: c_ushort, _product: c_ushort) -> *mut Info {
    let info = Info {
        path: c"emulated".as_ptr().cast_mut(),
        vendor_id: LEDGER,
        product_id: 0x1011,
        serial_number: null_mut(),
        release_number: 0,
        manufacturer: null_mut(),
        product: null_mut(),
        usage_page: 0xffa0,
        usage: 1,
        interface: 0,
        next: null_mut(),
    };
    Box::leak(Box::new(info))
}

#[unsafe(no_mangle)]
extern "C" fn hid_free_enumeration(_info: *mut Info) {}

#[unsafe(no_mangle)]
extern "C" fn hid_open(_vendor: c_ushort, _product: c_ushort, _serial: *const Wide) -> *mut c_void {
    null_mut()
}

/// Any address but none: there is one device.
#[unsafe(no_mangle)]
extern "C" fn hid_open_path(_path: *const c_char) -> *mut c_void {
    std::ptr::from_ref(&DEVICE).cast_mut().cast()
}

#[unsafe(no_mangle)]
extern "C" fn hid_libusb_wrap_sys_device(_device: *mut c_int, _interface: c_int) -> *mut c_void {
    null_mut()
}

#[unsafe(no_mangle)]
extern "C" fn hid_close(_device: *mut c_void) {}

#[unsafe(no_mangle)]
extern "C" fn hid_write(_device: *mut c_void, data: *const c_uchar, length: usize) -> c_int {
    // SAFETY: the driver passes a buffer of this length.
    let sent = unsafe { std::slice::from_raw_parts(data, length) };
    // The first byte is the report's number, which Ledgers do not have.
    device(|device| device.take(&sent[1..]));
    c_int::try_from(length).unwrap()
}

#[unsafe(no_mangle)]
extern "C" fn hid_read_timeout(_device: *mut c_void, data: *mut c_uchar, length: usize, _ms: c_int) -> c_int {
    let mut device = locked();
    let report = loop {
        match device.give() {
            Some(report) => break report,
            None => device = DEVICE.1.wait(device).unwrap(),
        }
    };
    assert!(length >= REPORT);
    // SAFETY: the driver passes a buffer of at least this length.
    unsafe { std::ptr::copy_nonoverlapping(report.as_ptr(), data, REPORT) };
    c_int::try_from(REPORT).unwrap()
}

#[unsafe(no_mangle)]
extern "C" fn hid_read(device: *mut c_void, data: *mut c_uchar, length: usize) -> c_int {
    hid_read_timeout(device, data, length, -1)
}

#[unsafe(no_mangle)]
extern "C" fn hid_set_nonblocking(_device: *mut c_void, _nonblock: c_int) -> c_int {
    0
}

#[unsafe(no_mangle)]
extern "C" fn hid_send_feature_report(_device: *mut c_void, _data: *const c_uchar, _length: usize) -> c_int {
    -1
}

#[unsafe(no_mangle)]
extern "C" fn hid_get_feature_report(_device: *mut c_void, _data: *mut c_uchar, _length: usize) -> c_int {
    -1
}

#[unsafe(no_mangle)]
extern "C" fn hid_get_manufacturer_string(_device: *mut c_void, _text: *mut Wide, _most: usize) -> c_int {
    -1
}

#[unsafe(no_mangle)]
extern "C" fn hid_get_product_string(_device: *mut c_void, _text: *mut Wide, _most: usize) -> c_int {
    -1
}

#[unsafe(no_mangle)]
extern "C" fn hid_get_serial_number_string(_device: *mut c_void, _text: *mut Wide, _most: usize) -> c_int {
    -1
}

#[unsafe(no_mangle)]
extern "C" fn hid_get_indexed_string(_device: *mut c_void, _index: c_int, _text: *mut Wide, _most: usize) -> c_int {
    -1
}

#[unsafe(no_mangle)]
extern "C" fn hid_error(_device: *mut c_void) -> *const Wide {
    null()
}
