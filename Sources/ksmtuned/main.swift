import Glibc
import HostKernel

func main() -> ExitStatus {
    let options: Options
    do {
        options = try Options(parsing: Array(try ProgramArguments.read().dropFirst()))
    } catch {
        try? StandardStream.error.write("ksmtuned: \(error); see ksmtuned --help\n")
        return .usage
    }
    switch options.task {
    case .run: return Start(options).run()
    case .checkConfiguration: return Start(options).checkConfiguration()
    case .showVersion: return show("ksmtuned \(programVersion)\n")
    case .showHelp: return show(Options.help)
    }
}

func show(_ text: String) -> ExitStatus {
    do throws(KernelFileError) {
        try StandardStream.output.write(text)
        return .success
    } catch {
        try? StandardStream.error.write("ksmtuned: \(error)\n")
        return .systemError
    }
}

StandardStream.keepPlaces()
InheritedSignals.settle()
exit(main().rawValue)
