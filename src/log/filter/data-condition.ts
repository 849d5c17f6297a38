import 'reflect-metadata';
import { Field, InputType, registerEnumType } from 'type-graphql';

/** How a value in data is compared. */
export const DataOperator = {
  EQ: 'EQ',
  NE: 'NE',
  GT: 'GT',
  GE: 'GE',
  LT: 'LT',
  LE: 'LE',
  EXISTS: 'EXISTS',
} as const;
export type DataOperator = (typeof DataOperator)[keyof typeof DataOperator];

registerEnumType(DataOperator, {
  name: 'DataOperator',
  description: 'How a value in data is compared.',
  valuesConfig: {
    EQ: { description: 'Is the value.' },
    NE: {
      description:
        'Is not the value; entries that have none there match, too. With [*]: none of the items is.',
    },
    GT: { description: 'Is greater.' },
    GE: { description: 'Is greater or equal.' },
    LT: { description: 'Is less.' },
    LE: { description: 'Is less or equal.' },
    EXISTS: { description: 'Is there, whatever it is, null included.' },
  },
});

@InputType({
  description:
    'One condition on a value in data, for example {path: "invoice.amount", op: GT, value: "1000"}.',
})
export class DataCondition {
  @Field(() => String, {
    description:
      'Keys joined by dots, a key with other characters than letters, digits, _ and - in double quotes, [*] for any item of an array: after.\\"card.type\\", items[*].sku. At most 255 characters.',
  })
  path!: string;

  @Field(() => DataOperator, { defaultValue: DataOperator.EQ, description: 'How it is compared.' })
  op?: DataOperator;

  @Field(() => String, {
    nullable: true,
    description:
      "Compared as a number where both are numbers, else as text, exactly; true, false and null as JSON's. Not for EXISTS.",
  })
  value?: string | null;
}
