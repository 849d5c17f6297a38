/** The module name of Reel's own entries; nobody else may use it, nor a name that looks like it. */
export const OWN_MODULE = 'reel';

/** Letters that look like those of the name, mapped to them (Unicode TR 39, confusables), after case folding. */
const LOOK_ALIKES: Readonly<Record<string, string>> = {
  е: 'e',
  ҽ: 'e',
  ℮: 'e',
  ꬲ: 'e',
  г: 'r',
  ᴦ: 'r',
  ⲅ: 'r',
  ꭇ: 'r',
  ꭈ: 'r',
  ꮁ: 'r',
  ı: 'l',
  i: 'l',
  '1': 'l',
  '|': 'l',
  ǀ: 'l',
  ӏ: 'l',
  ו: 'l',
  ן: 'l',
  '׀': 'l',
  ا: 'l',
  '۱': 'l',
  '١': 'l',
};

/** Whether a name looks like Reel's own: the same after NFKC, case folding, removal of invisible characters and mapping of look-alikes. */
export function isOwnModule(name: string): boolean {
  const visible = name.normalize('NFKC').replace(/[\p{Cf}\p{Mn}\p{Default_Ignorable_Code_Point}]/gu, '');
  if (visible.length > 4 * OWN_MODULE.length) return false;
  const skeleton = Array.from(
    visible.toLowerCase().normalize('NFKD'),
    (letter) => LOOK_ALIKES[letter] ?? letter,
  );
  return skeleton.join('').replace(/\p{Mn}/gu, '') === OWN_MODULE;
}
