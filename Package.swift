// swift-tools-version: 6.2
import PackageDescription

/// For every target of the two programs.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    // An existential costs an allocation: where one is meant, it is written.
    .enableUpcomingFeature("ExistentialAny"),
    // What a module imports is its own business, and each file names the modules whose members it uses.
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    // The lines that leave memory safety say `unsafe`, so that a reader can list them.
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
]

/// For the modules that the daemon is made of: neither the concurrency runtime nor string processing is linked,
/// since one thread waits in one place, and each would cost resident memory on every host.
let daemon: [SwiftSetting] =
    strict + [
        .unsafeFlags([
            "-Xfrontend", "-disable-implicit-concurrency-module-import",
            "-Xfrontend", "-disable-implicit-string-processing-module-import",
        ])
    ]

/// No position-independent executable: at start its table of pointers would be rewritten, and 0.15 MB of it would be
/// memory of this process alone. Libraries, heap and stack still lie at random addresses.
let fixedAddress: [LinkerSetting] = [
    .unsafeFlags(["-Xclang-linker", "-no-pie"], .when(configuration: .release))
]

/// What distributions ask of every program: all symbols are bound at start, and the table of their addresses is
/// read-only from then on. The identifier is one of the contents, by which debuggers find separate symbols.
let hardened: [LinkerSetting] = [
    .unsafeFlags(
        ["-Xlinker", "-z", "-Xlinker", "relro", "-Xlinker", "-z", "-Xlinker", "now", "-Xlinker", "--build-id=sha1"],
        .when(configuration: .release))
]

/// The same for C. `_FORTIFY_SOURCE` needs an optimised build.
let hardenedC: [CSetting] = [
    .define("_FORTIFY_SOURCE", to: "2", .when(configuration: .release)),
    .unsafeFlags(["-fstack-protector-strong", "-fstack-clash-protection"], .when(configuration: .release)),
]

let package = Package(
    name: "ksmtuned",
    products: [
        .executable(name: "ksmtuned", targets: ["ksmtuned"]),
        .executable(name: "ksmctl", targets: ["ksmctl"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
    ],
    targets: [
        // What the daemon is made of. Imports go one way: from the pure rules to the kernel's files, to a step of the
        // loop, to the program.
        .target(name: "KSMPolicy", swiftSettings: daemon),
        .target(name: "CLinux", cSettings: hardenedC),
        .target(name: "HostKernel", dependencies: ["KSMPolicy", "CLinux"], swiftSettings: daemon),
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(name: "Systemd", dependencies: ["CSystemd"], swiftSettings: daemon),
        .target(name: "Tuner", dependencies: ["KSMPolicy", "HostKernel"], swiftSettings: daemon),
        .executableTarget(
            name: "ksmtuned", dependencies: ["KSMPolicy", "HostKernel", "Systemd", "Tuner"],
            swiftSettings: daemon, linkerSettings: fixedAddress + hardened),

        // What only ksmctl needs.
        .target(name: "HostInspection", dependencies: ["KSMPolicy", "HostKernel"], swiftSettings: strict),
        .target(name: "KSMAnalysis", dependencies: ["KSMPolicy"], swiftSettings: strict),
        .target(name: "Charts", swiftSettings: strict),
        .executableTarget(
            name: "ksmctl",
            dependencies: [
                "KSMPolicy", "HostKernel", "HostInspection", "KSMAnalysis", "Charts",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict, linkerSettings: hardened),

        // What only tests need.
        .target(
            name: "HostFixtures", dependencies: ["KSMPolicy", "HostKernel", "HostInspection"], swiftSettings: strict),
        .target(name: "KSMSimulator", dependencies: ["KSMPolicy"], swiftSettings: strict),
        .executableTarget(
            name: "scale",
            dependencies: [
                "KSMPolicy", "KSMSimulator", "Charts",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/Scale", swiftSettings: strict),
        .testTarget(name: "KSMPolicyTests", dependencies: ["KSMPolicy", "HostFixtures"], swiftSettings: strict),
        .testTarget(
            name: "HostKernelTests", dependencies: ["CLinux", "HostKernel", "HostFixtures"], swiftSettings: strict),
        .testTarget(
            name: "TunerTests", dependencies: ["Tuner", "HostFixtures", "KSMSimulator"], swiftSettings: strict),
        .testTarget(
            name: "HostInspectionTests", dependencies: ["HostInspection", "HostFixtures"], swiftSettings: strict),
        .testTarget(name: "KSMAnalysisTests", dependencies: ["KSMAnalysis", "HostFixtures"], swiftSettings: strict),
        .testTarget(name: "ChartsTests", dependencies: ["Charts"], swiftSettings: strict),
        .testTarget(name: "KSMSimulatorTests", dependencies: ["KSMSimulator"], swiftSettings: strict),
        // Readers with what must hold for any input. Their corpus is replayed here, and grows under libFuzzer.
        .target(
            name: "FuzzTargets",
            dependencies: ["KSMPolicy", "HostKernel", "HostFixtures", "HostInspection", "KSMAnalysis", "Tuner"],
            path: "Tests/fuzz/Targets", swiftSettings: strict),
        .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets"], swiftSettings: strict),
        .testTarget(
            name: "ProgramTests",
            dependencies: [
                "HostFixtures", "KSMAnalysis", "HostInspection", "Charts", "Systemd", "Tuner", "ksmtuned", "ksmctl",
            ],
            swiftSettings: strict),
    ]
)

/// The fuzzer has no main function of its own and can only be built with libFuzzer, so it is there for `make fuzz` alone.
if Context.environment["KSMTUNED_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "fuzz", dependencies: ["FuzzTargets"], path: "Tests/fuzz/Program",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
