import type { Argument, Command, Option } from 'commander';
import { markdownBlocks, markdownTable } from './markdown.js';

/** Each command of `reel` for docs/commands.md: usage, arguments, options, and when its exit code is 1. */
export const commandsPage = (program: Command): string =>
  markdownBlocks(leavesOf(program).flatMap(commandSection));

/** The commands that do something, not those that only group others. */
const leavesOf = (command: Command): Command[] =>
  command.commands.length > 0 ? command.commands.flatMap(leavesOf) : [command];

function commandSection(command: Command): string[] {
  const name = nameOf(command);
  return [
    `### ${name}`,
    sentence(command.description()),
    `\`\`\`text\n${name} ${command.usage()}\n\`\`\``,
    markdownTable(['Argument', 'Meaning'], command.registeredArguments.map(argumentRow)),
    markdownTable(['Option', 'Meaning'], command.options.map(optionRow)),
    exit1Of(command) ?? '',
  ];
}

const nameOf = (command: Command): string =>
  command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;

const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

const argumentRow = (argument: Argument): string[] => [`\`<${argument.name()}>\``, argument.description];

function optionRow({
  flags,
  description,
  argChoices,
  defaultValue,
  defaultValueDescription,
}: Option): string[] {
  const choices = argChoices && `${argChoices.join(' or ')}`;
  const fallback = defaultValue !== undefined && `default: ${defaultValueDescription ?? defaultValue}`;
  const notes = [choices, fallback].filter(Boolean).join('; ');
  return [`\`${flags}\``, notes ? `${description} (${notes})` : description];
}

/** The line that `exit1` appended to the command's help. */
function exit1Of(command: Command): string | undefined {
  let help = '';
  command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp();
  return /^Exit code 1: .*/m.exec(help)?.[0];
}
