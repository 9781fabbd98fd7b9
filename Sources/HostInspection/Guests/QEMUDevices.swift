internal import KSMPolicy

/// The devices and objects of a QEMU command line, with what `-global` and `-set` say of them elsewhere.
///
/// Each is found by its id at once: a line may have thousands.
struct QEMUDevices {
    /// By their ids. The last one of an id counts.
    private var objects: [String: OptionValues] = [:]
    private(set) var all: [OptionValues] = []
    /// What `-global` sets, by driver.
    private var globals: [String: OptionValues] = [:]
    /// What `-set` sets, by the kind and the id: `device.balloon0`.
    private var settings: [String: OptionValues] = [:]

    mutating func addObject(_ text: String) {
        let object = OptionValues(jsonOr: text, implied: "qom-type")
        if let id = object["id"] { objects[id] = object }
    }

    mutating func addDevice(_ text: String) { all.append(OptionValues(jsonOr: text, implied: "driver")) }

    /// `driver.property=value`, or `driver=…,property=…,value=…`; see qemu(1), `-global`.
    mutating func addGlobal(_ text: String) {
        let bytes = Array(text.utf8)
        if let equals = bytes.firstIndex(of: UInt8(ascii: "=")),
            let dot = bytes[..<equals].firstIndex(of: UInt8(ascii: "."))
        {
            Self.add(
                bytes[..<dot], property: bytes[(dot + 1)..<equals], value: bytes[(equals + 1)...], to: &globals)
            return
        }
        let values = OptionValues(text, implied: "driver")
        if let driver = values["driver"], let property = values["property"], let value = values["value"] {
            globals[driver, default: OptionValues()][property] = value
        }
    }

    /// `kind.id.property=value`; see qemu(1), `-set`. An id has no dots.
    mutating func set(_ text: String) {
        let bytes = Array(text.utf8)
        guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")),
            let first = bytes[..<equals].firstIndex(of: UInt8(ascii: ".")),
            let second = bytes[(first + 1)..<equals].firstIndex(of: UInt8(ascii: "."))
        else { return }
        Self.add(
            bytes[..<second], property: bytes[(second + 1)..<equals], value: bytes[(equals + 1)...], to: &settings)
    }

    private static func add(
        _ key: ArraySlice<UInt8>, property: ArraySlice<UInt8>, value: ArraySlice<UInt8>,
        to settings: inout [String: OptionValues]
    ) {
        settings[String(decoding: key, as: UTF8.self), default: OptionValues()][
            String(decoding: property, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
    }

    /// Applies what was set elsewhere, when all options are read: what `-set` says counts as if the option itself had
    /// it, and what `-global` says where the option has nothing.
    ///
    /// A line may set thousands of properties for thousands of devices, so that none of them is copied to a device.
    mutating func settle() {
        for (key, values) in settings where key.hasPrefix("object.") {
            let id = String(key.dropFirst("object.".count))
            objects[id] = objects[id]?.with(overrides: values)
        }
        for index in all.indices {
            let own = all[index]
            let set = own["id"].flatMap { settings["device.\($0)"] }
            let device = own.with(overrides: set)
            all[index] = own.with(
                overrides: set,
                defaults: Self.types(device["driver"] ?? "").compactMap { globals[$0] })
        }
    }

    /// The types by whose names `-global` reaches a device: its own and those that it is made of.
    private static func types(_ driver: String) -> [String] {
        guard driver.hasPrefix("virtio-") else { return [driver] }
        // virtio-balloon is another name of virtio-balloon-pci, or -ccw on S/390.
        var names = [driver]
        for suffix in ["-non-transitional", "-transitional"] where driver.hasSuffix(suffix) {
            names.append(String(driver.dropLast(suffix.count)))
        }
        let plain = names[names.count - 1]
        let bus = ["-pci", "-ccw", "-device"].first { plain.hasSuffix($0) }
        let kind = String(plain.dropLast(bus?.count ?? 0))
        names += bus == nil ? [kind + "-pci", kind + "-ccw"] : []
        return names + [kind + "-pci-base", kind + "-device"]
    }

    func object(_ id: String) -> OptionValues? { objects[id] }

    /// `virtio-balloon-pci`, `-ccw`, `-device`.
    var balloon: OptionValues? { all.last { $0["driver"]?.hasPrefix("virtio-balloon") ?? false } }

    /// Memory that was plugged into slots.
    var dimms: [(backend: OptionValues?, size: KiB?)] {
        all.compactMap { device in
            guard let driver = device["driver"] else { return nil }
            let isPartOfBackend = driver.hasPrefix("virtio-mem-")
            guard isPartOfBackend || driver == "pc-dimm" else { return nil }
            let backend = device["memdev"].flatMap { object($0) }
            let size =
                isPartOfBackend
                ? device.size("requested-size", unit: MemorySize.byte) : backend?.size("size", unit: MemorySize.byte)
            return (backend, size)
        }
    }

    /// What devices of the host that are passed through hold in place.
    ///
    /// `vfio-pci`, `vfio-platform` and their kind may write to any memory of the guest, which so stays where it is. A
    /// mediated device (`sysfsdev=/sys/bus/mdev/devices/UUID`) holds what its driver asks for. Channel devices of S/390
    /// and cryptographic adapters hold only the pages that they use, and QEMU lets the balloon work beside them
    /// (`hw/vfio/ccw.c`, `hw/vfio/ap.c`). `vfio-user-pci` is a device of another program, which maps the guest's memory and
    /// holds none in place.
    var pinning: GuestCommandLine.Pinning {
        var pinning = GuestCommandLine.Pinning.none
        for device in all {
            guard let driver = device["driver"], driver.hasPrefix("vfio-"), !driver.hasPrefix("vfio-ccw"),
                !driver.hasPrefix("vfio-ap"), !driver.hasPrefix("vfio-user")
            else { continue }
            guard let path = device["sysfsdev"], Self.isMediated(path) else { return .all }
            pinning = .some
        }
        return pinning
    }

    /// Whether a device's folder is below `mdev`, or has a UUID for its name, as in its parent's folder.
    private static func isMediated(_ path: String) -> Bool {
        let folders = path.split(separator: "/")
        guard let last = folders.last else { return false }
        return folders.contains("mdev") || last.utf8.count == 36 && last.split(separator: "-").count == 5
    }
}
