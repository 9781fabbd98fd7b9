/// The version of both programs and of their packages: `MAJOR.MINOR.PATCH`, as semantic versioning has it. It stands here
/// alone; the Makefile reads this line for everything that is packaged.
package let programVersion = "0.2.0"
