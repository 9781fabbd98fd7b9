import Foundation
import KSMPolicy
import Testing

/// The manual, the README and the sample file tell of every setting, of none else, and with the defaults that count.
@Suite struct SettingsDocumentationTests {
    /// A file of the source tree.
    private func source(_ relative: String) throws -> String {
        let tests = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: tests.deletingLastPathComponent().appending(path: relative), encoding: .utf8)
    }

    private static let names = Set(Setting.allCases.map(\.name))

    /// The settings that are unset by default, for which the sample file shows a value all the same.
    private static let unset: Set<Setting> = [.logFile, .debug]

    // MARK: Manual page

    @Test func `Every setting has its entry with its default in ksmtuned.conf(5), and none else`() throws {
        let entries = try source("man/ksmtuned.conf.5").matches(of: /(?m)^\.It Cm ([A-Z_]+)\nDefault: (.*)$/)
        var defaults: [String: String] = [:]
        for entry in entries { defaults[String(entry.1)] = String(entry.2) }
        #expect(defaults.count == entries.count, "an entry is there twice")
        for setting in Setting.allCases {
            let text = Defaults.union[setting]
            #expect(defaults[setting.name] == (text.isEmpty ? "unset" : text), "\(setting.name)")
        }
        #expect(Set(defaults.keys) == Self.names)
    }

    @Test func `Every setting that ksmtuned.conf(5) or ksmtuned(8) names is one`() throws {
        for page in ["man/ksmtuned.conf.5", "man/ksmtuned.8"] {
            // The journal's fields have a mark-up of their own.
            let named = try source(page).matches(of: /\.Cm (KSM_[A-Z_]+)/).map { String($0.1) }
            #expect(!named.isEmpty)
            #expect(Self.names.isSuperset(of: named), "\(page)")
        }
    }

    @Test(arguments: [
        Setting.profile, .guestMetric, .freeMetric, .firstDecision, .onExit, .policy, .adaptiveStart, .allowUnmerge,
        .retuneOnGuests, .mergeAcrossNodes, .useZeroPages, .smartScan,
    ])
    func `Every word of a choice is on the setting's line of values in ksmtuned.conf(5)`(_ setting: Setting) throws {
        let words: [String] =
            switch setting {
            case .profile: Profile.allCases.map(\.word)
            case .guestMetric: GuestMetric.allCases.map(\.word) + ["rss"]
            case .freeMetric: FreeMetric.allCases.map(\.word)
            case .firstDecision: FirstDecision.allCases.map(\.word)
            case .onExit: ExitAction.allCases.map(\.word)
            case .policy: PolicyKind.allCases.map(\.word)
            case .adaptiveStart: AdaptiveStart.allCases.map(\.word)
            default: Switch.allCases.map(\.word)
            }
        let page = try source("man/ksmtuned.conf.5")
        let entry = try #require(page.split(separator: ".It Cm \(setting.name)\n").dropFirst().first)
        let values = try #require(entry.firstMatch(of: /(?m)^Value: (.*)$/)).1
        let told = values.replacing(" or ", with: ", ").split(separator: ", ").map(String.init)
        #expect(Set(told) == Set(words.filter { !$0.isEmpty }))
    }

    // MARK: README

    @Test func `Every setting is in the README's table with its default, and none else`() throws {
        let readme = try source("README.md")
        let table = try #require(readme.split(separator: "| Setting | Default |").dropFirst().first)
            .split(separator: "\n\n")[0]
        var defaults: [String: String] = [:]
        for row in table.split(separator: "\n").dropFirst(2) {
            let cells = row.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            let names = cells[1].matches(of: /`([A-Z_]+)`/).map { String($0.1) }
            let values = cells[2].components(separatedBy: ", ")
            for (index, name) in names.enumerated() { defaults[name] = index < values.count ? values[index] : "" }
        }
        for setting in Setting.allCases {
            #expect(defaults[setting.name] == Defaults.union[setting], "\(setting.name)")
        }
        #expect(Set(defaults.keys) == Self.names)
    }

    // MARK: Sample file

    @Test func `The sample file changes nothing and has nothing to complain about`() throws {
        let reading = Reading(try source("etc/ksmtuned.conf"))
        #expect(reading.configuration == Configuration())
        #expect(reading.messages == [])
    }

    @Test func `Every setting has one commented line in the sample file, and none else`() throws {
        let lines = try source("etc/ksmtuned.conf").matches(of: /(?m)^# ?([A-Z_]+)=/).map { String($0.1) }
        #expect(lines.sorted() == Self.names.sorted())
    }

    @Test func `The commented lines of the sample file are the defaults`() throws {
        let text = try source("etc/ksmtuned.conf")
        let assignments = text.split(separator: "\n").filter { $0.firstMatch(of: /^# [A-Z_]+=/) != nil }
            .map { $0.dropFirst(2) }
        let uncommented = assignments.filter { line in
            !Self.unset.contains { line.hasPrefix("\($0.name)=") }
        }
        #expect(uncommented.count == Setting.allCases.count - Self.unset.count)

        let reading = Reading(uncommented.joined(separator: "\n"))
        #expect(reading.configuration == Configuration())
        #expect(reading.messages == [])
        for line in uncommented {
            let parts = line.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let setting = try #require(Setting(rawValue: String(parts[0])))
            let text = Defaults.union[setting]
            // As a shell would, the file needs quotes around a blank.
            #expect(parts[1] == (text.contains(" ") ? "\"\(text)\"" : text), "\(line)")
        }
    }

    @Test func `Every line of the sample file can be uncommented`() throws {
        let text = try source("etc/ksmtuned.conf").replacing(/(?m)^# ([A-Z_]+=)/) { String($0.1) }
        let reading = Reading(text)
        #expect(reading.messages == [])
        #expect(reading.configuration.isDebugging)
        #expect(reading.configuration.logFile == "/var/log/ksmtuned")
    }

    @Test(arguments: [
        "# KSM_MONITOR_INTERVAL=60", "# KSM_SLEEP_MSEC=10", "# KSM_NPAGES_BOOST=300", "# KSM_NPAGES_DECAY=-50",
        "# KSM_NPAGES_MIN=64", "# KSM_NPAGES_MAX=1250", "# KSM_THRES_COEF=20", "# KSM_THRES_CONST=2048",
        "# LOGFILE=/var/log/ksmtuned", "# DEBUG=1",
    ])
    func `The original's commented lines stand as they were, for the scripts that edit them`(_ line: String) throws {
        #expect(try source("etc/ksmtuned.conf").split(separator: "\n").count { $0 == line } == 1)
    }

    @Test func `One line only names KSM_THRES_COEF beside a digit`() throws {
        let lines = try source("etc/ksmtuned.conf").split(separator: "\n")
        #expect(lines.filter { $0.firstMatch(of: /KSM_THRES_COEF.*[0-9]|[0-9].*KSM_THRES_COEF/) != nil }.count == 1)
    }

    @Test(arguments: ["LOGFILE", "DEBUG"])
    func `One line only names the settings that test scripts look for`(_ name: String) throws {
        #expect(try source("etc/ksmtuned.conf").split(separator: "\n").filter { $0.contains(name) }.count == 1)
    }
}
